import { describe, expect, test } from 'bun:test'
import { ConfigError } from '../../gateway/config/mistake.ts'
import { BOOKING, openBooking } from './test-booking.ts'

async function mistakesIn(
  parts: Readonly<Record<string, object>>,
  { methods = ['POST'], ...settings }: { readonly methods?: readonly string[] } = {},
) {
  const error = await openBooking({ parts, settings, methods }).catch((reason: unknown) => reason)
  if (!(error instanceof ConfigError)) return []
  return error.mistakes.map(({ path, message }) => `${path.replace(/^.*aggregate\.(?:parts\.)?/, '')}: ${message}`)
}

const { flight, hotel } = BOOKING as { flight: Record<string, object>; hotel: Record<string, object> }
const read = { upstream: 'other', path: '/x' }
const undoneBy = (compensate: object | string) => ({ flight: { ...flight, compensate } })

describe('the configuration of writes', () => {
  test('is accepted when it is right', async () => {
    expect(await mistakesIn(BOOKING)).toEqual([])
    expect(await mistakesIn(undoneBy('none'))).toEqual([])
    expect(await mistakesIn(undoneBy('none'), { methods: ['GET', 'POST'] })).toEqual([])
    expect(await mistakesIn(BOOKING, { methods: ['POST', 'PUT', 'PATCH', 'DELETE'] })).toEqual([])
    expect(await mistakesIn({ a: { ...read, method: 'POST', safe: true }, b: { ...read, after: ['a'] } })).toEqual([])
  })

  test.each<{ name: string; parts: Record<string, object>; settings?: object; mistake: string }>([
    {
      name: 'a write that does not say how it is undone',
      parts: { a: { ...read, method: 'POST' } },
      mistake: 'a.method: a POST changes something: say how it is undone in "compensate"',
    },
    {
      name: 'a route by which those who only look would book',
      parts: BOOKING,
      settings: { methods: ['POST', 'HEAD'] },
      mistake: 'flight.method: a HEAD of the route would do this too: name its methods without GET, HEAD, OPTIONS',
    },
    {
      name: 'a DELETE that says it is safe',
      parts: { a: { ...read, method: 'DELETE', safe: true } },
      mistake: 'a.safe: is for POST only: a DELETE always changes something',
    },
    {
      name: 'a compensation of what changes nothing',
      parts: { a: { ...read, compensate: 'none' } },
      mistake: 'a.compensate: is never used',
    },
    {
      name: 'writes whose order nobody says',
      parts: { flight, hotel: { ...hotel, after: undefined } },
      mistake: 'hotel: "flight" and "hotel" both write, and nothing says which comes first: add "after: [flight]"',
    },
    {
      name: 'a part to come after that is not there',
      parts: { flight, hotel: { ...hotel, after: ['flihgt'] } },
      mistake: 'hotel.after[0]: unknown part "flihgt"; did you mean "flight"?',
    },
    {
      name: 'a part that comes after itself',
      parts: { flight: { ...flight, after: ['flight'] } },
      mistake: 'flight.after[0]: "flight" waits for itself',
    },
    {
      name: 'parts that come after each other',
      parts: { flight: { ...flight, after: ['hotel'] }, hotel },
      mistake: 'parts wait for each other',
    },
    {
      name: 'a compensation that is a text',
      parts: undoneBy('DELETE /bookings/7'),
      mistake:
        'flight.compensate: expected the call that undoes it, as in { method: DELETE, path: /bookings/7 }, or "none"',
    },
    {
      name: 'a compensation that reads what may not be there',
      parts: { ...undoneBy({ path: '/{parts.a.body.id}' }), a: read },
      mistake: 'flight.compensate.path: "parts.a.body.id" may not be there yet: name "a" in "after"',
    },
    {
      name: 'a compensation in the dark that reads the reply',
      parts: undoneBy({ path: '/{parts.flight.body.id}', 'when-unknown': 'compensate' }),
      mistake: 'is not there when nobody knows whether the write was done',
    },
    {
      name: 'a compensation that reads XML',
      parts: { flight: { ...flight, as: 'xml' } },
      mistake: 'must be JSON to be read when the write is made again',
    },
    {
      name: 'an upstream that is not there',
      parts: undoneBy({ upstream: 'flihgt', path: '/x' }),
      mistake: 'flight.compensate.upstream: unknown upstream "flihgt"; did you mean "flight"?',
    },
    {
      name: 'a key of its own',
      parts: { flight: { ...flight, headers: { 'Idempotency-Key': 'x' } } },
      mistake: "is the gateway's to make: leave it out",
    },
    {
      name: 'a list of writes',
      parts: { a: read, flight: { ...flight, 'for-each': '{parts.a.body.list}', body: { x: '{item}' } } },
      mistake: 'flight.for-each: cannot be with a write',
    },
    {
      name: 'the key of a write elsewhere',
      parts: { a: { ...read, query: { key: '{write.key}' } } },
      mistake: 'a.query.key: "write.key" has a value in "compensate" only',
    },
    { name: 'a stream', parts: { flight }, settings: { stream: true }, mistake: 'stream: cannot be' },
  ])('is refused for $name', async ({ parts, settings = {}, mistake }) => {
    expect((await mistakesIn(parts, settings)).join('\n')).toContain(mistake)
  })
})
