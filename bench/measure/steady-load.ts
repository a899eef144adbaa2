import { parseArgs } from 'node:util'

/**
 * Asks for one URL at a steady rate, whether answers come or not (open loop), and prints the outcome as one line of
 * JSON. Replies are pages of parts that say how long they took (`tookMs`); what the page took beyond its slowest part is
 * the overhead. A process of its own, so that it runs on the core it is put on.
 */
const { values } = parseArgs({
  options: { url: { type: 'string' }, rate: { type: 'string' }, seconds: { type: 'string' } },
})
const url = values.url ?? ''
const rate = Number(values.rate)
const seconds = Number(values.seconds)

interface Timed {
  readonly tookMs: number
}

const overheadsMs: number[] = []
let errors = 0
let waiting = 0
let mostWaiting = 0

async function ask(): Promise<void> {
  waiting++
  mostWaiting = Math.max(mostWaiting, waiting)
  const startedAt = performance.now()
  try {
    const response = await fetch(url)
    const page = (await response.json()) as Timed | Record<string, Timed>
    const latencyMs = performance.now() - startedAt
    const parts = 'tookMs' in page ? [page as Timed] : Object.values(page)
    const slowestMs = Math.max(...parts.map(({ tookMs }) => tookMs))
    if (!response.ok || !Number.isFinite(slowestMs)) throw new Error(`status ${response.status}`)
    overheadsMs.push(latencyMs - slowestMs)
  } catch {
    errors++
  } finally {
    waiting--
  }
}

const startedAt = performance.now()
const total = Math.round(rate * seconds)
const asked: Promise<void>[] = []
while (asked.length < total) {
  const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1_000) * rate) + 1)
  while (asked.length < due) asked.push(ask())
  await Bun.sleep(1)
}
await Promise.all(asked)
console.log(JSON.stringify({ overheadsMs, errors, mostWaiting, durationMs: performance.now() - startedAt }))
