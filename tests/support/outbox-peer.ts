import { join } from 'node:path'
import { type Peer, startPeer } from './peer.ts'

/** Another process that has the same outbox open: it obeys the methods of `Outbox`, and `orders` (see the script). */
export type OutboxPeer = Peer

const SCRIPT = join(import.meta.dir, 'outbox-peer-process.ts')

export interface OutboxPeerOptions {
  readonly capacity?: number
  /** The largest file it may write, in bytes. */
  readonly largestFile?: number
}

/** Starts a process that opens the outbox at `path`; resolves once it has. */
export function startOutboxPeer(path: string, options: OutboxPeerOptions = {}): Promise<OutboxPeer> {
  const { capacity = 100_000, largestFile } = options
  return startPeer({ script: [SCRIPT, path, String(capacity)], largestFile })
}
