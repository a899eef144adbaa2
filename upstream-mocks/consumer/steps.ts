/** Moments at which a process may die, in the order in which one event meets them. */
export type Step =
  | 'before-effect'
  | 'before-commit'
  | 'after-commit-before-ack'
  | 'before-publish'
  | 'after-publish-before-mark'

/** Called at every step with the event's type; for tests, which end the process in it. */
export type StepHook = (step: Step, type: string) => void
