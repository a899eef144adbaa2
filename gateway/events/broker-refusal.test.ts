import { describe, expect, test } from 'bun:test'
import type { Declaration } from '../core/topology.ts'
import { describeRefusal, readRefusal } from './broker-refusal.ts'

const given = { 'x-delivery-limit': 10, 'x-message-ttl': 10, 'x-dead-letter-exchange': 'shop.dead-letters' }
const queue: Declaration = { kind: 'queue', name: 'a', arguments: given, site: 'topology.queues.a' }
const exchange: Declaration = { kind: 'exchange', name: 'x' }
const binding: Declaration = { kind: 'binding', queue: 'a', exchange: 'x', pattern: 'o.#' }

/** What is told of an answer as RabbitMQ 3.10 words it and the client library passes it on. */
function told(declaration: Declaration, answer: string): string | undefined {
  const refusal = readRefusal(new Error(`channel 1 closed: ${answer}`))
  return refusal && describeRefusal(declaration, refusal)
}

const inequivalent = (arg: string, received: string, current: string) =>
  `PRECONDITION_FAILED - inequivalent arg '${arg}' for queue 'a' in vhost '/': received ${received} but current is ${current} (406)`

describe('a refusal of the broker', () => {
  test.each([
    {
      name: 'a limit that is not there',
      declaration: queue,
      answer: inequivalent('x-delivery-limit', "the value '10' of type 'signedint'", 'none'),
      expected:
        'queue "a": x-delivery-limit is to be 10, and is not set on the broker; use another name in topology.queues.a, or',
    },
    {
      name: 'an argument nobody asked for',
      declaration: queue,
      answer: inequivalent('x-max-length', 'none', "the value '5' of type 'signedint'"),
      expected: 'x-max-length is to be not set, and is 5 on the broker; use another name in topology.queues.a, or',
    },
    {
      name: 'another text',
      declaration: queue,
      answer: inequivalent('x-dead-letter-exchange', "'shop.dead-letters'", "'it''s'"),
      expected: 'x-dead-letter-exchange is to be "shop.dead-letters", and is "it\'\'s" on the broker',
    },
    {
      name: 'a queue that does not last',
      declaration: queue,
      answer: inequivalent('durable', "'true'", "'false'"),
      expected: 'durable is to be true, and is false on the broker',
    },
    {
      name: 'an answer that was cut in its last value',
      declaration: queue,
      answer: inequivalent('x-dead-letter-exchange', "'shop.dead-letters'", "'a-very-lo...").replace(
        ' (406)',
        '... (406)',
      ),
      expected: 'x-dead-letter-exchange is to be "shop.dead-letters", and is something else on the broker',
    },
    {
      name: 'an answer that was cut before that',
      declaration: queue,
      answer: "PRECONDITION_FAILED - inequivalent arg 'x-dead-letter-exchange' for queue 'a-very-lo... (406)",
      expected:
        'x-dead-letter-exchange is to be "shop.dead-letters", and is something else on the broker; use another name',
    },
    {
      name: 'the words of the embedded broker for nothing',
      declaration: queue,
      answer: inequivalent('x-message-ttl', "'10'", "'none'"),
      expected: 'x-message-ttl is to be 10, and is not set on the broker',
    },
    {
      name: 'a missing permission on a queue',
      declaration: queue,
      answer: "ACCESS_REFUSED - access to queue 'a' in vhost '/' refused for user 'shop' (403)",
      expected:
        'queue "a": this user of the broker may not declare it; grant it "configure" there, or leave the queue out',
    },
    {
      name: 'a missing permission on an exchange',
      declaration: exchange,
      answer: "ACCESS_REFUSED - access to exchange 'x' in vhost '/' refused for user 'shop' (403)",
      expected: 'exchange "x": this user of the broker may not declare it; grant it "configure" there',
    },
    {
      name: 'a binding to nothing',
      declaration: binding,
      answer: "NOT_FOUND - no exchange 'x' in vhost '/' (404)",
      expected: `binding of queue "a" to exchange "x" for "o.#": the broker refuses it with 404 (NOT_FOUND - no exchange 'x' in vhost '/')`,
    },
    {
      name: 'an exclusive queue',
      declaration: queue,
      answer: "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'a' in vhost '/'. (405)",
      expected: 'queue "a": another connection has it for itself (exclusive)',
    },
    {
      name: 'words nobody has seen yet',
      declaration: queue,
      answer: "PRECONDITION_FAILED - invalid arg 'x-queue-type' (406)",
      expected: `queue "a": the broker refuses it with 406 (PRECONDITION_FAILED - invalid arg 'x-queue-type')`,
    },
  ])('is told so that it can be mended: $name', ({ declaration, answer, expected }) => {
    expect(told(declaration, answer)).toContain(expected)
  })

  test.each([{ message: 'connection closed' }, { message: 'no connection within 5000 ms' }])(
    'is not seen in "$message"',
    ({ message }) => {
      expect(readRefusal(new Error(message))).toBeUndefined()
    },
  )
})
