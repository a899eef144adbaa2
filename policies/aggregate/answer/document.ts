import { type Outcome, shownOf } from '../outcome.ts'

const OPEN = 0x7b
const CLOSE = 0x7d
const COMMA = 0x2c

/**
 * One document with a key for each part that has something to show, in file order. The texts are joined as they are, so
 * that numbers keep all their digits and no key can mean anything to the gateway.
 */
export function document(outcomes: readonly Outcome[]): Uint8Array<ArrayBuffer> {
  const members = outcomes.flatMap((outcome) => {
    const shown = shownOf(outcome)
    return shown ? [{ key: new TextEncoder().encode(`${JSON.stringify(outcome.part)}:`), json: shown.json }] : []
  })
  const commas = Math.max(0, members.length - 1)
  const size = members.reduce((sum, { key, json }) => sum + key.byteLength + json.byteLength, 2 + commas)
  const joined = new Uint8Array(size)
  let end = 0
  const put = (bytes: ArrayLike<number>) => {
    joined.set(bytes, end)
    end += bytes.length
  }
  put([OPEN])
  for (const [i, { key, json }] of members.entries()) {
    if (i > 0) put([COMMA])
    put(key)
    put(json)
  }
  put([CLOSE])
  return joined
}
