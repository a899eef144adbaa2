/** Runs work one by one within a lane and lanes beside each other: what one subject waits for holds up no other. */
export interface Lanes {
  /** Work without a lane runs at once. It must not reject. */
  run(lane: string | undefined, work: () => Promise<void>): Promise<void>
  /** Resolves when nothing runs or waits any more. */
  idle(): Promise<void>
}

/** Makes lanes that exist only while something is in them. */
export function createLanes(): Lanes {
  const tails = new Map<string, Promise<void>>()
  const running = new Set<Promise<void>>()

  function track(work: Promise<void>): Promise<void> {
    running.add(work)
    return work.finally(() => running.delete(work))
  }

  return {
    run(lane, work) {
      if (lane === undefined) return track(work())
      const tail = (tails.get(lane) ?? Promise.resolve()).then(work)
      tails.set(lane, tail)
      return track(tail).finally(() => {
        if (tails.get(lane) === tail) tails.delete(lane)
      })
    },
    async idle() {
      while (running.size > 0) await Promise.all(running)
    },
  }
}
