import type { FromPart, ToPart } from './part.ts'

/** The other end of `startPart`: what a process of the scene has of it. */
export interface OwnPart<Settings> {
  readonly settings: Settings
  ready(facts: Readonly<Record<string, string>>): void
  /** Ends this process at once, as a power cut would: nothing is flushed, nothing is said. */
  die(step: string): never
  onMessage(listener: (message: ToPart) => void): void
}

/** Reads what this process was told at its start; it ends with the process that started it. */
export function ownPart<Settings>(): OwnPart<Settings> {
  const say = (message: FromPart) => process.send?.(message)
  process.on('disconnect', () => process.exit(1))
  return {
    settings: JSON.parse(process.argv[2] ?? '{}'),
    ready: (facts) => say({ kind: 'ready', facts }),
    die(step) {
      say({ kind: 'dying', step })
      process.kill(process.pid, 'SIGKILL')
      throw new Error('unreachable: SIGKILL cannot be survived')
    },
    onMessage: (listener) => process.on('message', (message: ToPart) => listener(message)),
  }
}

/** Dies at a named step: at the `occurrence`th time (from 1) that it is reached. */
export interface DeathPlan {
  readonly step: string
  readonly occurrence: number
}

/** A step hook that follows the plan. */
export function dieAt(plan: DeathPlan | undefined, die: (step: string) => never): (step: string) => void {
  let count = 0
  return (step) => {
    if (step === plan?.step && ++count === plan.occurrence) die(step)
  }
}
