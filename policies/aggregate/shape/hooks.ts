/** Hooks that JSONata calls around each step. Its types know names of letters only. */
export const ENTRY = Symbol.for('jsonata.__evaluate_entry') as unknown as string
export const EXIT = Symbol.for('jsonata.__evaluate_exit') as unknown as string
