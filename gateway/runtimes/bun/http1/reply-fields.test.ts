import { describe, expect, test } from 'bun:test'
import { seededRandom } from '../../../../tests/support/seeded-random.ts'
import { dropConnectionFields } from '../../../upstream/fields.ts'
import { ReplyFields } from './reply-fields.ts'

const NAMES = ['a', 'X-A', 'x-a', 'Set-Cookie', 'set-cookie', 'VARY', 'Date', '^', '~', 'x_a', '!#$%&']
const HOP_BY_HOP = ['Connection', 'TE', 'keep-alive', 'Upgrade', 'Trailer', 'Proxy-Authenticate']
const VALUES = ['', '1', ' 1', '\t1 \t', 'a, b', '\xa01\xa0', 'a:b', '\xff', 'x: y', ' \t ']

const START = 'HTTP/1.1 200 OK\r\n'
const fieldsOf = (lines: readonly string[], dropped: readonly string[] = []) =>
  new ReplyFields(`${START}${lines.map((line) => `${line}\r\n`).join('')}\r\n`, START.length, new Set(dropped))

describe('the fields of a reply', () => {
  test('read as Headers would, in whatever case they are asked for', () => {
    const random = seededRandom(5)
    const pick = (list: readonly string[]) => list[Math.floor(random() * list.length)] ?? ''
    for (let i = 0; i < 500; i++) {
      const given = Array.from({ length: Math.floor(random() * 6) }, () => {
        const name = pick(random() < 0.2 ? HOP_BY_HOP : NAMES)
        return [name, pick(VALUES)] as const
      })
      const dropped = random() < 0.3 ? ['x-a', 'vary'] : []
      const headers = new Headers()
      for (const [name, value] of given) headers.append(name, value)
      for (const name of dropped) headers.delete(name)
      headers.delete('connection')
      dropConnectionFields(headers)

      const fields = fieldsOf(
        given.map(([name, value]) => `${name}:${value}`),
        dropped,
      )
      for (const name of [...NAMES, ...HOP_BY_HOP, 'none']) {
        expect([name, fields.get(name)]).toEqual([name, headers.get(name)])
        expect([name, fields.has(name)]).toEqual([name, headers.has(name)])
      }
      expect(fields.getSetCookie()).toEqual(headers.getSetCookie())
      expect([...fields]).toEqual([...headers])
      expect([...fields.toHeaders()]).toEqual([...headers])
    }
  })

  test('are not found where their name is part of another, or stands in a value', () => {
    const fields = fieldsOf(['X-Vary: 1', 'Vary-X: 2', 'X: vary: 3', 'Var: 4'])
    expect(fields.get('vary')).toBeNull()
    expect(fieldsOf([]).get('vary')).toBeNull()
  })
})
