/** More turns of the microtask queue than a call takes to end once it is given up, with some policies around it. */
const TURNS_TO_END = 8

/**
 * Resolves when calls that were given up a moment ago have ended, so that a log line written then has what became of them.
 * One that ignores its signal is not waited for.
 */
export async function givenUpCallsEnded(): Promise<void> {
  for (let turn = 0; turn < TURNS_TO_END; turn++) await undefined
}
