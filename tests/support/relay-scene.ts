import type { Clock } from '../../gateway/core/clock.ts'
import type { CloudEvent, Step } from '../../gateway/core/events.ts'
import { startLease } from '../../gateway/events/lease.ts'
import type { Outbox } from '../../gateway/events/outbox.ts'
import type { Publisher, PublisherState } from '../../gateway/events/publisher.ts'
import { createRelay, type Relay } from '../../gateway/events/relay.ts'
import { type RecordedTelemetry, recordTelemetry } from './recorded-telemetry.ts'
import { createVirtualClock, type VirtualClock } from './virtual-clock.ts'

/** What a broker may do with an event: take it, give it back, lose the connection, or say nothing. */
export type Answer = 'confirm' | 'return' | 'fail' | 'silence'

/** A broker that several relays publish to, each over a connection of its own. */
export interface SceneBroker {
  /** Ids of the events it took, in the order they came, repeats included. */
  readonly took: readonly string[]
  become(state: PublisherState): void
  /** How it answers from now on; confirms everything unless told otherwise. */
  answer(decide: (event: CloudEvent) => Answer): void
}

/** A process with a relay on the shared outbox. */
export interface SceneProcess {
  readonly outbox: Outbox
  readonly relay: Relay
  readonly telemetry: RecordedTelemetry
  readonly isDelivering: boolean
  /** Ends in good order. */
  stop(): Promise<void>
  /** Nothing of it happens any more, from this moment. */
  kill(): void
  /** Stands still, while time goes on, until it is told to go on. */
  pause(): () => void
}

/** Relays on one outbox and one broker, on a clock that stands still. `open` opens the outbox as a further process would. */
export function createRelayScene(open: (clock: Clock) => Outbox) {
  const clock = createVirtualClock()
  const broker = createSceneBroker()
  const processes: SceneProcess[] = []

  return {
    clock,
    broker,
    start(name: string, onStep?: (step: Step) => void | Promise<void>): SceneProcess {
      const process = startProcess(name, { clock, broker, open, onStep })
      processes.push(process)
      return process
    },
    /** Lets time go by in small steps until `condition` holds; rejects when it does not within `withinMs`. */
    async until(what: string, condition: () => boolean | Promise<boolean>, withinMs = 60_000): Promise<void> {
      const stepMs = Math.max(20, withinMs / 500)
      for (let passedMs = 0; !(await condition()); passedMs += stepMs) {
        if (passedMs > withinMs) throw new Error(`Expected within ${withinMs} ms: ${what}`)
        await clock.advance(stepMs)
      }
    },
    async end(): Promise<void> {
      for (const process of processes) process.kill()
      for (const { outbox } of processes) await outbox.close()
    },
  }
}

export type RelayScene = ReturnType<typeof createRelayScene>

interface Stage {
  readonly clock: VirtualClock
  readonly broker: ReturnType<typeof createSceneBroker>
  readonly open: (clock: Clock) => Outbox
  readonly onStep: ((step: Step) => void | Promise<void>) | undefined
}

function startProcess(name: string, { clock, broker, open, onStep }: Stage): SceneProcess {
  let isDead = false
  let paused: (() => void)[] | undefined
  const run = (task: () => void) => {
    if (isDead) return
    if (paused) paused.push(task)
    else task()
  }
  const ownClock: Clock = { ...clock, after: (delayMs, task) => clock.after(delayMs, () => run(task)) }
  const outbox = open(clock)
  const telemetry = recordTelemetry()
  const parts = { outbox: interrupted(outbox, run), clock: ownClock, random: () => 0, ...telemetry }
  const lease = startLease({ ...parts, holder: name })
  const publisher = broker.connect(run)
  const relay = createRelay({ ...parts, publisher, lease, onStep })
  return {
    outbox,
    relay,
    telemetry,
    get isDelivering() {
      return lease.isHeld
    },
    async stop() {
      await relay.stop()
      await lease.stop()
    },
    kill() {
      isDead = true
    },
    pause() {
      const tasks: (() => void)[] = []
      paused = tasks
      return () => {
        paused = undefined
        for (const task of tasks) task()
      }
    },
  }
}

/** The outbox as a process that may be killed or stand still sees it: what it has begun is done, but it may not hear of it. */
function interrupted(outbox: Outbox, run: (task: () => void) => void): Outbox {
  return new Proxy(outbox, {
    get(target, name, receiver) {
      const method = Reflect.get(target, name, receiver)
      return (...args: unknown[]) =>
        new Promise((resolve, reject) => {
          run(() => {
            Promise.resolve(Reflect.apply(method, target, args)).then(
              (value) => run(() => resolve(value)),
              (error) => run(() => reject(error)),
            )
          })
        })
    },
  })
}

function createSceneBroker() {
  const took: string[] = []
  const listeners = new Set<() => void>()
  let state: PublisherState = { name: 'ready' }
  let decide: (event: CloudEvent) => Answer = () => 'confirm'

  return {
    took: took as readonly string[],
    become(next: PublisherState) {
      state = next
      if (next.name === 'ready') for (const listener of listeners) listener()
    },
    answer(next: (event: CloudEvent) => Answer) {
      decide = next
    },
    connect: (run: (task: () => void) => void): Publisher => ({
      get state() {
        return state
      },
      publish: (event, _address, mayStill = () => true) =>
        new Promise((resolve, reject) => {
          run(() => {
            if (state.name !== 'ready' || !mayStill()) return reject(new Error('not sent'))
            const answer = decide(event)
            if (answer !== 'return') took.push(event.id)
            // The answer is on its way for a moment.
            queueMicrotask(() =>
              run(() => {
                if (answer === 'confirm') resolve('confirmed')
                if (answer === 'return') resolve('returned')
                if (answer === 'fail') reject(new Error('connection lost'))
              }),
            )
          })
        }),
      onReady(listener) {
        const told = () => run(listener)
        listeners.add(told)
        return () => {
          listeners.delete(told)
        }
      },
      close: async () => {},
    }),
  }
}
