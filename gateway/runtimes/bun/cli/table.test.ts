import { expect, test } from 'bun:test'
import { shorten, table } from './table.ts'

test('a text of others neither moves the cursor nor fills the screen', () => {
  const subject = `O-1\u001b[2J${'y'.repeat(5_000)}`
  const [head, row] = table(['SUBJECT', 'REASON'], [[shorten(subject), 'returned']]).split('\n')
  expect(row).toMatch(/^O-1 \[2Jy{52}… {2}returned$/)
  expect(head?.indexOf('REASON')).toBe(row?.indexOf('returned'))
})

test('a text that fits stays as it is', () => {
  expect(shorten('y'.repeat(60))).toBe('y'.repeat(60))
})
