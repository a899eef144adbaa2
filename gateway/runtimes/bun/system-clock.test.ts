import { expect, test } from 'bun:test'
import { systemClock } from './system-clock.ts'

test('an appointment beyond the longest timer is not kept at once', async () => {
  let early = false
  const cancel = systemClock.after(30 * 86_400_000, () => {
    early = true
  })
  await new Promise<void>((resolve) => void systemClock.after(20, resolve))
  cancel()
  expect(early).toBe(false)
})
