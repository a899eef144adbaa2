import type { ExchangeDeclaration } from '../../gateway/broker/exchange.ts'
import type { BrokerStorage, StoredBinding, StoredMessage, StoredQueue } from '../../gateway/broker/storage.ts'

interface Disk {
  readonly exchanges: Map<string, ExchangeDeclaration>
  readonly queues: Map<number, StoredQueue>
  readonly bindings: Map<string, StoredBinding>
  readonly messages: Map<number, StoredMessage & { readonly returns: number }>
}

/** A broker's storage that writes when it is told to, fails when it is told to, and remembers only what was written. */
export interface ScriptedStorage extends BrokerStorage {
  /** Writes what is noted and calls back those who wait. */
  write(): Promise<void>
  /** Every attempt to write fails with this from now on; undefined lets them succeed. */
  break(reason: string | undefined): void
  /** What the next broker finds after a crash at this moment. */
  crashed(): ScriptedStorage
  /** How often something was written. */
  readonly writes: number
}

export function createScriptedStorage(disk: Disk = emptyDisk()): ScriptedStorage {
  const noted: ((to: Disk) => void)[] = []
  let waiting: ((failure: Error | undefined) => void)[] = []
  let broken: string | undefined
  let writes = 0

  function flush(): void {
    const error = broken === undefined ? undefined : new Error(broken)
    if (error === undefined && noted.length > 0) {
      writes += 1
      for (const change of noted.splice(0)) change(disk)
    }
    if (storage.failure !== broken) {
      Object.assign(storage, { failure: broken })
      storage.onFailure(broken)
    }
    const told = waiting
    waiting = []
    queueMicrotask(() => {
      for (const callback of told) callback(error)
    })
    if (error !== undefined) throw error
  }

  const note = (change: (to: Disk) => void) => void noted.push(change)
  const storage: ScriptedStorage = {
    failure: undefined,
    onFailure: () => {},
    load: () => ({
      exchanges: [...disk.exchanges.values()],
      queues: [...disk.queues.values()],
      bindings: [...disk.bindings.values()],
      messages: [...disk.messages.values()].map(({ message, ...entry }) => {
        return { ...entry, contentBytes: message.body.length + message.properties.length }
      }),
    }),
    keepExchange: (exchange) => note(({ exchanges }) => exchanges.set(exchange.name, exchange)),
    dropExchange: (name) => note(({ exchanges }) => exchanges.delete(name)),
    keepQueue: (id, declaration) => note(({ queues }) => queues.set(id, { id, declaration, deliveredTo: 0 })),
    dropQueue: (id) => note(({ queues }) => queues.delete(id)),
    keepBinding: (binding) => note(({ bindings }) => bindings.set(JSON.stringify(binding), binding)),
    dropBinding: (binding) => note(({ bindings }) => bindings.delete(JSON.stringify(binding))),
    keepMessage: (stored) => note(({ messages }) => messages.set(stored.position, { ...stored, returns: 0 })),
    dropMessage: (position) => note(({ messages }) => messages.delete(position)),
    keepReturns: (position, returns) =>
      note(({ messages }) => {
        const stored = messages.get(position)
        if (stored !== undefined) messages.set(position, { ...stored, returns })
      }),
    keepDelivered: (id, deliveredTo) =>
      note(({ queues }) => {
        const stored = queues.get(id)
        if (stored !== undefined) queues.set(id, { ...stored, deliveredTo })
      }),
    readMessage(position) {
      const stored = disk.messages.get(position)
      if (stored === undefined) throw new Error(`nothing was written at ${position}`)
      return stored.message
    },
    whenWritten: (callback) => void waiting.push(callback),
    flush,
    async write() {
      try {
        flush()
      } catch {
        // Told by `failure` and by the callbacks.
      }
      await Promise.resolve()
    },
    break(reason) {
      broken = reason
    },
    crashed: () => createScriptedStorage(structuredClone(disk)),
    get writes() {
      return writes
    },
  }
  return storage
}

function emptyDisk(): Disk {
  return { exchanges: new Map(), queues: new Map(), bindings: new Map(), messages: new Map() }
}
