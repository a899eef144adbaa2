import { describe, expect, test } from 'bun:test'
import { type Case, configOf, expectMistake, part } from './test-mistakes.ts'
import { openPage } from './test-page.ts'

const SHAPES: readonly Case[] = [
  {
    name: 'a name that is picked twice',
    lines: ['parts:', part('a', 'pick: [x, y, x]')],
    at: 1,
    path: 'parts.a.pick[2]',
    message: 'is picked already: "x" brings it',
  },
  {
    name: 'a name within one that is picked whole',
    lines: ['parts:', part('a', 'pick: [x.y, x]')],
    at: 1,
    path: 'parts.a.pick[0]',
    message: 'is picked already: "x" brings it',
  },
  {
    name: 'a name that is not well formed',
    lines: ['parts:', part('a', 'pick: [x..y]')],
    at: 1,
    path: 'parts.a.pick[0]',
    message: 'expected a name, or dotted names',
  },
  {
    name: 'a name to omit that is not picked',
    lines: ['parts:', part('a', 'pick: [x], omit: [y]')],
    at: 1,
    path: 'parts.a.omit[0]',
    message: 'is never there: "pick" does not name it',
  },
  {
    name: 'a name to omit within one that is omitted',
    lines: ['parts:', part('a', 'omit: [x, x.y]')],
    at: 1,
    path: 'parts.a.omit[1]',
    message: 'is left out already, with "x"',
  },
  {
    name: 'a new name for what is omitted',
    lines: ['parts:', part('a', 'omit: [x], rename: { x.y: z }')],
    at: 1,
    path: 'parts.a.rename.x.y',
    message: 'is left out, by "omit" of "x"',
  },
  {
    name: 'one new name for two',
    lines: ['parts:', part('a', 'rename: { x: z, y: z }')],
    at: 1,
    path: 'parts.a.rename.y',
    message: 'two values would be "z"',
  },
  {
    name: 'a new name that is the old one',
    lines: ['parts:', part('a', 'rename: { x.y: y }')],
    at: 1,
    path: 'parts.a.rename.x.y',
    message: 'is its name already',
  },
  {
    name: 'a new name for what is not picked',
    lines: ['parts:', part('a', 'pick: [x], rename: { y: z }')],
    at: 1,
    path: 'parts.a.rename.y',
    message: 'is never there',
  },
  {
    name: 'new names of nothing',
    lines: ['parts:', part('a', 'rename: {}')],
    at: 1,
    path: 'parts.a.rename',
    message: 'expected at least one name',
  },
  {
    name: 'a list to spread when its part fails',
    lines: ['parts:', part('a', 'spread: true, fallback: []')],
    at: 1,
    path: 'parts.a.fallback',
    message: 'expected a mapping',
  },
]

const PLACES: readonly Case[] = [
  {
    name: 'a group with the name of a part',
    lines: ['parts:', part('a'), part('b', 'group: a')],
    at: 2,
    path: 'parts.b.group',
    message: 'is the name of a part too: "a"',
  },
  {
    name: 'a hidden part that nobody reads',
    lines: ['parts:', part('a'), part('b', 'hidden: true')],
    at: 2,
    path: 'parts.b.hidden',
    message:
      'leaves nothing of the part: no other part reads it; remove "hidden", or make the part "required" if it is to decide',
  },
  {
    name: 'a shape that nobody sees',
    lines: ['parts:', part('a'), part('b', 'hidden: true, required: true, pick: [x]')],
    at: 2,
    path: 'parts.b.pick',
    message: 'is never used: the part is hidden',
  },
  {
    name: 'an answer of nothing',
    lines: ['parts:', part('a', 'hidden: true, required: true')],
    at: 1,
    path: 'parts',
    message: 'the answer would always be empty',
  },
  {
    name: 'a rule for names that cannot collide',
    lines: ['on-conflict: last', 'parts:', part('a')],
    at: 0,
    path: 'on-conflict',
    message: 'is never used: no part has "spread"',
  },
  {
    name: 'an unknown rule',
    lines: ['on-conflict: latest', 'parts:', part('a', 'spread: true')],
    at: 0,
    path: 'on-conflict',
    message: 'expected one of "error", "first", "last", found "latest"',
  },
  {
    name: 'a member picked that has the name of a part',
    lines: ['parts:', part('a', 'spread: true, pick: [x, b]'), part('b')],
    at: 1,
    path: 'parts.a.pick[1]',
    message: '"b" would stand twice in the answer: the part "b" has it too',
  },
  {
    name: 'a member picked by two',
    lines: ['parts:', part('a', 'spread: true, pick: [x.y]'), part('b', 'spread: true, pick: [z], rename: { z: x }')],
    at: 2,
    path: 'parts.b.pick[0]',
    message: '"x" would stand twice in the answer: the part "a" has it too',
  },
  {
    name: 'a member of a fallback that has the name of a group',
    lines: ['parts:', part('a', 'spread: true, fallback: { g: 1 }'), part('b', 'group: g')],
    at: 1,
    path: 'parts.a.fallback.g',
    message: 'the group "g" has it too',
  },
  {
    name: 'a member that is static too',
    lines: ['static: { incomplete: { note: 1 } }', 'parts:', part('a', 'spread: true, pick: [note]')],
    at: 2,
    path: 'parts.a.pick[0]',
    message: '"static" has it too',
  },
  {
    name: 'a static member with the name of a part',
    lines: ['static: { always: { a: 1 } }', 'parts:', part('a')],
    at: 0,
    path: 'static.always.a',
    message: '"a" would stand twice in the answer: the part "a" has it too',
  },
  {
    name: 'a static member that is there always',
    lines: ['static: { always: { x: 1 }, complete: { x: 2 } }', 'parts:', part('a')],
    at: 0,
    path: 'static.complete.x',
    message: '"x" would stand twice in the answer: "static.always" has it too',
  },
  {
    name: 'a static member with the name of a group',
    lines: ['static: { incomplete: { g: 1 } }', 'parts:', part('a', 'group: g')],
    at: 0,
    path: 'static.incomplete.g',
    message: '"g" would stand twice in the answer: the group "g" has it too',
  },
]

const BODIES: readonly Case[] = [
  {
    name: 'an unknown part',
    lines: ['body:', '  x:', '    - "{parts.aa.body}"', 'parts:', part('a')],
    at: 2,
    path: 'body.x[0]',
    message: 'unknown part "aa" in "parts.aa.body"; did you mean "a"?',
  },
  {
    name: 'an unknown parameter',
    lines: ['body: { x: "{params.idd}" }', 'parts:', part('a')],
    at: 0,
    path: 'body.x',
    message: 'unknown parameter "idd"',
  },
  {
    name: 'an item',
    lines: ['body: { x: "{item.id}" }', 'parts:', part('a')],
    at: 0,
    path: 'body.x',
    message: '"item.id" has no value here',
  },
  {
    name: 'an unknown word about the composition',
    lines: ['body: { x: "{composition.whole}" }', 'parts:', part('a')],
    at: 0,
    path: 'body.x',
    message: 'unknown name "whole" in "composition.whole"',
  },
  {
    name: 'a shape beside it',
    lines: ['body: { x: "{parts.a.body}" }', 'parts:', part('a', 'pick: [x]')],
    at: 2,
    path: 'parts.a.pick',
    message: 'is never used: "body" is the whole answer',
  },
  {
    name: 'static members beside it',
    lines: ['body: { x: "{parts.a.body}" }', 'static: { always: { y: 1 } }', 'parts:', part('a')],
    at: 1,
    path: 'static',
    message: 'is never used: "body" is the whole answer',
  },
  {
    name: 'what is known of the answer in a call for a part of it',
    lines: ['parts:', '  a: { upstream: u, path: "/{composition.complete}" }'],
    at: 1,
    path: 'parts.a.path',
    message: '"composition.complete" has no value here: the answer is not composed yet',
  },
  {
    name: 'the status of many',
    lines: [
      'body: { x: "{parts.a.status}" }',
      'parts:',
      '  a: { upstream: u, path: "/{item}", for-each: "{body.ids}" }',
    ],
    at: 0,
    path: 'body.x',
    message: 'is many replies, of which only the body can be read',
  },
]

const FIELDS: readonly Case[] = [
  {
    name: 'a field that the answer has of its own',
    lines: ['parts:', part('a', 'response-headers: [x-a, ETag]')],
    at: 1,
    path: 'parts.a.response-headers[1]',
    message: `"etag" is the answer's own`,
  },
  {
    name: 'a field that frames the message',
    lines: ['parts:', part('a', 'response-headers: [transfer-encoding]')],
    at: 1,
    path: 'parts.a.response-headers[0]',
    message: `"transfer-encoding" is the answer's own`,
  },
  {
    name: 'a field of two parts',
    lines: [
      'parts:',
      part('a', 'response-headers: [x-a, set-cookie]'),
      part('b', 'response-headers: [set-cookie, X-A]'),
    ],
    at: 2,
    path: 'parts.b.response-headers[1]',
    message: '"x-a" comes from "a" already',
  },
  {
    name: 'fields of many replies',
    lines: ['parts:', '  a: { upstream: u, path: "/{item}", for-each: "{body.ids}", response-headers: [x-a] }'],
    at: 1,
    path: 'parts.a.response-headers',
    message: 'the part is many replies',
  },
  {
    name: 'a name that no field has',
    lines: ['parts:', part('a', 'response-headers: ["x a"]')],
    at: 1,
    path: 'parts.a.response-headers[0]',
    message: 'expected a header name',
  },
]

const STREAMS: readonly Case[] = [
  {
    name: 'a template of the whole',
    lines: ['stream: true', 'body: { x: "{parts.a.body}" }', 'parts:', part('a')],
    at: 1,
    path: 'body',
    message: 'cannot be streamed: it needs every part',
  },
  {
    name: 'static members',
    lines: ['stream: true', 'static: { complete: { x: 1 } }', 'parts:', part('a')],
    at: 1,
    path: 'static',
    message: 'cannot be streamed: it needs every part',
  },
  {
    name: 'members without the name of their part',
    lines: ['stream: true', 'parts:', part('a', 'spread: true')],
    at: 2,
    path: 'parts.a.spread',
    message: 'cannot be streamed: each part is sent under its own name',
  },
  {
    name: 'a group',
    lines: ['stream: true', 'parts:', part('a', 'group: g')],
    at: 2,
    path: 'parts.a.group',
    message: 'cannot be streamed: each part is sent under its own name',
  },
  {
    name: 'fields that come too late',
    lines: ['stream: true', 'parts:', part('a', 'response-headers: [x-a]')],
    at: 2,
    path: 'parts.a.response-headers',
    message: 'cannot be streamed: the fields of a stream are sent before the replies are there',
  },
]

describe('the configuration of an answer', () => {
  test.each([...SHAPES])('refuses in a shape $name', expectMistake)
  test.each([...PLACES])('refuses in the places of parts $name', expectMistake)
  test.each([...BODIES])('refuses in a template of the answer $name', expectMistake)

  test.each([...STREAMS])('refuses in a stream $name', expectMistake)
  test.each([...FIELDS])('refuses among the fields that pass $name', expectMistake)

  test('takes collisions that "on-conflict" decides', async () => {
    const lines = ['on-conflict: first', 'parts:', part('a', 'spread: true, pick: [b]'), part('b')]
    expect(await openPage({ config: configOf(lines) })).toBeDefined()
  })
})
