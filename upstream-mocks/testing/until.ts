/** Asks until the answer is yes; throws when it still is not after `limitMs`, so that a test never hangs. */
export async function until(what: string, ask: () => boolean | Promise<boolean>, limitMs = 15_000): Promise<void> {
  const deadline = performance.now() + limitMs
  while (!(await ask())) {
    if (performance.now() > deadline) throw new Error(`${what}: not so after ${limitMs} ms`)
    await Bun.sleep(20)
  }
}
