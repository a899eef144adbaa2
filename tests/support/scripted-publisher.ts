import type { CloudEvent, EventAddress } from '../../gateway/core/events.ts'
import type { Publisher, PublisherState } from '../../gateway/events/publisher.ts'

/** One call of `publish` that waits for the test to decide its outcome. */
export interface PublishCall {
  readonly event: CloudEvent
  readonly address: EventAddress
  confirm(): void
  giveBack(): void
  fail(error: Error): void
}

/** A publisher whose broker is the test. */
export interface ScriptedPublisher extends Publisher {
  /** Every call so far, the first one first. */
  readonly calls: readonly PublishCall[]
  become(state: PublisherState): void
  /** From now on answers by itself; by default the test decides each call. */
  answer(decide: ((call: PublishCall) => void) | undefined): void
}

/** Makes a publisher that is ready and answers nothing by itself. */
export function createScriptedPublisher(): ScriptedPublisher {
  const calls: PublishCall[] = []
  const listeners = new Set<() => void>()
  let state: PublisherState = { name: 'ready' }
  let answer: ((call: PublishCall) => void) | undefined

  return {
    calls,
    get state() {
      return state
    },
    publish(event, address, mayStill = () => true) {
      if (!mayStill()) return Promise.reject(new Error('not sent'))
      const { promise, resolve, reject } = Promise.withResolvers<'confirmed' | 'returned'>()
      const call = {
        event,
        address,
        confirm: () => resolve('confirmed'),
        giveBack: () => resolve('returned'),
        fail: reject,
      }
      calls.push(call)
      answer?.(call)
      return promise
    },
    become(next) {
      state = next
      if (next.name === 'ready') for (const listener of listeners) listener()
    },
    answer(decide) {
      answer = decide
    },
    onReady(listener) {
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
    async close() {
      state = { name: 'closed' }
    },
  }
}
