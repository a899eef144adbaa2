import type { InHand, OutboxEntry } from './outbox.ts'

/** Entries that are asked about, in a line for each upstream: one that hangs holds up its own and no other's. */
export interface SettleLines {
  /** What stands in a line or is asked about, and the upstreams whose line is full. */
  readonly inHand: InHand
  /** Leaves an entry whose upstream has a full line: a look finds it once there is room. */
  add(upstream: string, entry: OutboxEntry): void
  /** Resolves when nothing is in hand. */
  ended(): Promise<void>
}

export interface SettleLineParts {
  /** Must not reject. */
  readonly work: (entry: OutboxEntry) => Promise<void>
  /** Nobody waits any more in a line that was full. */
  readonly onRoom: () => void
}

/** Requests to one upstream at once: it has its clients to serve. */
const PER_UPSTREAM = 4
/** Entries of one upstream in hand: each is as large as what its client sent. */
const IN_HAND = 32

interface Line {
  readonly waiting: OutboxEntry[]
  atWork: number
}

export function createSettleLines({ work, onRoom }: SettleLineParts): SettleLines {
  const lines = new Map<string, Line>()
  const ids = new Set<string>()
  const full = new Set<string>()
  const workers = new Set<Promise<void>>()

  async function serve(upstream: string, line: Line): Promise<void> {
    line.atWork++
    for (let entry = line.waiting.shift(); entry; entry = line.waiting.shift()) {
      await work(entry)
      ids.delete(entry.id)
    }
    line.atWork--
    if (line.atWork === 0) lines.delete(upstream)
    if (full.delete(upstream)) onRoom()
  }

  return {
    inHand: { ids, upstreams: full },
    add(upstream, entry) {
      if (full.has(upstream)) return
      const line = lines.get(upstream) ?? { waiting: [], atWork: 0 }
      lines.set(upstream, line)
      ids.add(entry.id)
      line.waiting.push(entry)
      if (line.waiting.length + line.atWork >= IN_HAND) full.add(upstream)
      if (line.atWork < PER_UPSTREAM) {
        const worker = serve(upstream, line).finally(() => workers.delete(worker))
        workers.add(worker)
      }
    },
    async ended() {
      await Promise.all(workers)
    },
  }
}
