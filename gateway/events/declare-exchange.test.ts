import { describe, expect, test } from 'bun:test'
import type { AMQPChannel } from '@cloudamqp/amqp-client'
import { declareExchange } from './declare-exchange.ts'

describe('declaring an exchange', () => {
  test('does not wait for the end of its channel, which never comes when the connection is lost meanwhile', async () => {
    const calls: unknown[] = []
    const channel: Pick<AMQPChannel, 'exchangeDeclare' | 'close'> = {
      async exchangeDeclare(...parameters) {
        calls.push(parameters)
      },
      close: () => new Promise(() => {}),
    }
    const openChannel = async () => channel as AMQPChannel
    await declareExchange({ openChannel }, 'shop.events')
    expect(calls).toEqual([['shop.events', 'topic', { durable: true, passive: false }]])
  })
})
