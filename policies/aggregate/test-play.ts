import { z } from 'zod'
import { principal } from '../../gateway/core/keys.ts'
import { definePolicy } from '../../gateway/core/policy.ts'
import { createTestGateway } from '../../tests/support/gateway.ts'
import { createVirtualClock, type VirtualClock } from '../../tests/support/virtual-clock.ts'
import { JSON_TYPE } from './test-page.ts'
import {
  type Caller,
  type Fate,
  hitText,
  MAX_BYTES,
  nameOf,
  POOR_TEXT,
  richText,
  type Scenario,
} from './test-scenario.ts'
import { toOptions } from './test-scenario-file.ts'

/** Plays a scenario on the real gateway, in virtual time, and notes everything that can be seen from outside. */

/** One call, with times in milliseconds since the request that made it. */
export interface Call {
  readonly part: number
  /** What it asks for first: its item, the first of its keys, or 0. */
  readonly key: number
  /** Method, path with query, own fields and body. */
  readonly asks: string
  readonly startMs: number
  /** When its upstream would be done, whether or not anybody waits. */
  readonly dueMs: number
  abortedMs: number | undefined
  /** Whether its upstream is still sending a body that nobody has let go. */
  isOpen: boolean
}

export interface Played {
  readonly status: number
  readonly text: string
  /** `Composition-Status` without durations. */
  readonly composition: string | null
  readonly complete: string | null
  readonly cacheControl: string | null
  /** When the request was sent, and when it was answered. */
  readonly sentAtMs: number
  readonly answeredMs: number
  readonly calls: readonly Call[]
  /** Calls made after the answer. */
  readonly later: number
}

const ADDRESSES: Readonly<Record<Caller, string>> = { alice: '192.0.2.1', bob: '192.0.2.2' }

/** Believes what callers say of themselves. */
const byName = definePolicy({
  name: 'by-name',
  at: 'route',
  options: z.strictObject({ tells: z.boolean().describe('Whether upstreams are told') }),
  provides: [principal],
  create:
    ({ tells }) =>
    (exchange, next) => {
      const { headers } = exchange.request
      const id = headers.get('x-me') ?? ''
      exchange.set(principal, { id, claims: { sub: id, word: headers.get('x-word') }, via: 'test' })
      if (tells) exchange.outgoing.set('x-user-id', id)
      return next()
    },
})

/** Longer than any call that ends. */
const LONG_MS = 5_000

/** Sends the requests of a scenario one after the other; with `leaveMs` the client leaves that long after the last one. */
export async function play(scenario: Scenario, leaveMs?: number): Promise<Played[]> {
  const clock = createVirtualClock(0)
  let calls: Call[] = []
  let round = 0
  let sentAtMs = 0
  const gateway = await createTestGateway({
    config: toConfig(scenario),
    register: [byName],
    services: { clock },
    upstream: async (request) => {
      const asked = await describe(request)
      const fate = scenario.parts[asked.part]?.fates[asked.key]?.[round]
      if (!fate) throw new Error(`Nobody asks for ${request.url}`)
      const startMs = clock.monotonic() - sentAtMs
      const isEndless = fate.kind === 'hangs' || fate.kind === 'stops'
      const dueMs = isEndless ? Number.POSITIVE_INFINITY : startMs + fate.afterMs
      const call: Call = { ...asked, startMs, dueMs, abortedMs: undefined, isOpen: false }
      calls.push(call)
      const note = () => {
        call.abortedMs = clock.monotonic() - sentAtMs
      }
      if (request.signal.aborted) note()
      else request.signal.addEventListener('abort', note)
      return respond(clock, fate, call)
    },
  })

  const played: Played[] = []
  for (const visit of scenario.visits) {
    await clock.advance(visit.pauseMs)
    const isLast = played.length === scenario.visits.length - 1
    calls = []
    sentAtMs = clock.monotonic()
    let answeredMs = Number.NaN
    const client = new AbortController()
    const { caller, word } = visit
    const headers = { 'x-me': caller, 'x-word': word, cookie: `word=${word}` }
    const connection = { ip: ADDRESSES[caller], gone: client.signal }
    const answer = gateway.fetch(`/page/1?word=${word}`, { headers }, connection).then((response) => {
      answeredMs = clock.monotonic() - sentAtMs
      return response
    })
    if (isLast && leaveMs !== undefined) clock.after(leaveMs, () => client.abort())
    await clock.advance(scenario.totalMs + 1)
    const response = await answer
    const made = calls.length
    await clock.advance(LONG_MS)
    played.push({
      status: response.status,
      text: await response.text(),
      composition: response.headers.get('composition-status')?.replace(/;dur=\d+/g, '') ?? null,
      complete: response.headers.get('composition-complete'),
      cacheControl: response.headers.get('cache-control'),
      sentAtMs,
      answeredMs,
      calls,
      later: calls.length - made,
    })
    round++
  }
  return played
}

function toConfig(scenario: Scenario): string {
  const { knowing } = scenario
  const naming = knowing === 'addresses' ? [] : [{ 'by-name': { tells: knowing === 'names and tells' } }]
  const policies = [...naming, { aggregate: toOptions(scenario) }]
  return JSON.stringify({
    version: 1,
    upstreams: Object.fromEntries(
      scenario.parts.map((_, part) => [nameOf(part), { url: `http://${nameOf(part)}.test` }]),
    ),
    routes: { page: { path: '/page/:id', timeout: '10s', policies } },
  })
}

async function describe(
  request: Request,
): Promise<{ readonly part: number; readonly key: number; readonly asks: string }> {
  const { hostname, pathname, search, searchParams } = new URL(request.url)
  const own = [...request.headers]
    .filter(([name]) => /^r[\dio]$/.test(name))
    .map(([name, value]) => `${name}: ${value}`)
  const batched = searchParams.get('ids')?.split(',')[0]
  const first = batched ?? searchParams.get('ri') ?? request.headers.get('ri') ?? pathname.split('/').at(-1)
  return {
    part: Number(hostname.slice(1, hostname.indexOf('.'))),
    key: /^\d$/.test(first ?? '') ? Number(first) : 0,
    asks: [request.method, pathname + search, ...own, await request.text()].join(' '),
  }
}

async function respond(clock: VirtualClock, fate: Fate, call: Call): Promise<Response> {
  const { kind, afterMs } = fate
  const wait = (ms: number) => new Promise<void>((resolve) => void clock.after(ms, resolve))
  if (kind === 'hangs') return new Promise(() => {})
  const isInTwo = kind === 'slow' || kind === 'stops'
  await wait(isInTwo ? afterMs / 2 : afterMs)
  if (kind === 'refused') throw new TypeError('refused')
  if (kind === 'broken') return new Response('secret', { status: 500 })
  if (kind === 'no-content') return new Response(null, { status: 204 })
  if (kind === 'page') return new Response('<html>', { headers: { 'content-type': 'text/html' } })
  if (kind === 'garbage') return new Response('{"v":', { headers: JSON_TYPE })
  if (kind === 'too-large') return Response.json('x'.repeat(3 * MAX_BYTES))
  if (kind === 'poor') return new Response(POOR_TEXT, { headers: JSON_TYPE })
  const text = documentFor(call, fate)
  if (!isInTwo) return new Response(text, { status: kind === 'not-found' ? 404 : 200, headers: JSON_TYPE })
  const stream = new ReadableStream<Uint8Array>({
    async start(controller) {
      // A head that comes too late is nobody's any more.
      call.isOpen = call.abortedMs === undefined
      controller.enqueue(new TextEncoder().encode(text.slice(0, 5)))
      if (kind === 'stops') return
      await wait(afterMs / 2)
      if (!call.isOpen) return
      call.isOpen = false
      controller.enqueue(new TextEncoder().encode(text.slice(5)))
      controller.close()
    },
    cancel() {
      call.isOpen = false
    },
  })
  return new Response(stream, { headers: JSON_TYPE })
}

/** One document, or those that the keys of the call are for, as the upstream has them: in an order of its own. */
function documentFor({ part, key, asks }: Call, fate: Fate): string {
  const ids = /ids=([\d,]+)/.exec(asks)?.[1]
  if (ids === undefined) return richText(part, key, fate)
  const hits = ids.split(',').flatMap((id) => hitText(part, Number(id)) ?? [])
  return `{"hits": [${hits.reverse().join(' , ')}]}`
}
