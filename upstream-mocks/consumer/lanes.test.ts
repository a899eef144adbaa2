import { expect, test } from 'bun:test'
import { createLanes } from './lanes.ts'

/** Work that ends when the test says so. */
function controlled(log: string[], name: string) {
  const { promise, resolve } = Promise.withResolvers<void>()
  const work = async () => {
    log.push(`${name} begins`)
    await promise
    log.push(`${name} ends`)
  }
  return { work, end: resolve }
}

test('lanes run one after the other within, beside each other across, and at once without a lane', async () => {
  const log: string[] = []
  const lanes = createLanes()
  const [first, second, other, free] = ['first', 'second', 'other', 'free'].map((name) => controlled(log, name))
  const running = [
    lanes.run('a', first?.work ?? fail),
    lanes.run('a', second?.work ?? fail),
    lanes.run('b', other?.work ?? fail),
    lanes.run(undefined, free?.work ?? fail),
  ]
  await Promise.resolve()
  let isIdle = false
  const idle = lanes.idle().then(() => {
    isIdle = true
  })
  expect(log.toSorted()).toEqual(['first begins', 'free begins', 'other begins'])
  for (const { end } of [first, other, free].filter((one) => one !== undefined)) end()
  await Promise.all([running[0], running[2], running[3]])
  await Promise.resolve()
  expect(log).toContain('second begins')
  expect(isIdle).toBe(false)
  second?.end()
  await idle
  expect(log.at(-1)).toBe('second ends')
})

function fail(): Promise<void> {
  throw new Error('not there')
}
