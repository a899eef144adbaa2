import { createServer, type Socket } from 'node:net'
import { FrameReader, methodFrame, readContentHeader } from '../../gateway/broker/codec/frames.ts'
import { readMethod } from '../../gateway/broker/codec/method-codec.ts'
import type { Method } from '../../gateway/broker/codec/methods.ts'
import { readProperties } from '../../gateway/broker/codec/properties.ts'
import { startArguments, tuneArguments } from '../../gateway/broker/session/handshake.ts'

/** A message that waits for the test to acknowledge it. */
export interface ScriptedMessage {
  readonly messageId: string
  /** Counts the messages of its connection, from 1. */
  readonly tag: number
}

/** An AMQP broker whose confirmations the test words, one by one. */
export interface ScriptedBroker {
  readonly url: string
  /** Every message so far, in the order it came. */
  readonly messages: readonly ScriptedMessage[]
  /** On the newest connection. `multiple`: all up to that tag. */
  ack(tag: number, multiple?: boolean): void
  nack(tag: number, multiple?: boolean): void
  stop(): void
}

const PROTOCOL_HEADER_BYTES = 8

/** Starts it on a port of 127.0.0.1. It agrees to everything and keeps nothing. */
export function startScriptedBroker(): Promise<ScriptedBroker> {
  const messages: ScriptedMessage[] = []
  const sockets = new Set<Socket>()
  let confirm = (_name: 'basic.ack' | 'basic.nack', _tag: number, _multiple: boolean) => {}

  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    const reader = new FrameReader()
    let isGreeted = false
    let tag = 0

    function answer(channel: number, { name, arguments: given }: Method): void {
      const send = (...frame: Parameters<typeof methodFrame>) => socket.write(methodFrame(...frame))
      if (name === 'connection.start-ok') send(0, 'connection.tune', tuneArguments(100))
      if (name === 'connection.open') send(0, 'connection.open-ok', {})
      if (name === 'connection.close') send(0, 'connection.close-ok', {})
      if (name === 'channel.open') send(channel, 'channel.open-ok', {})
      if (name === 'channel.close') send(channel, 'channel.close-ok', {})
      if (name === 'exchange.declare') send(channel, 'exchange.declare-ok', {})
      if (name === 'queue.declare') {
        send(channel, 'queue.declare-ok', { queue: given.queue, messageCount: 0, consumerCount: 0 })
      }
      if (name === 'confirm.select') send(channel, 'confirm.select-ok', {})
      if (name === 'basic.publish') {
        confirm = (method, deliveryTag, multiple) => {
          if (method === 'basic.ack') send(channel, method, { deliveryTag, multiple })
          else send(channel, method, { deliveryTag, multiple, requeue: false })
        }
      }
    }

    socket.on('data', (bytes: Uint8Array) => {
      reader.push(bytes)
      if (!isGreeted) {
        if (!reader.take(PROTOCOL_HEADER_BYTES)) return
        isGreeted = true
        socket.write(methodFrame(0, 'connection.start', startArguments()))
      }
      for (let frame = reader.next(); frame; frame = reader.next()) {
        if (frame.kind === 'method') answer(frame.channel, readMethod(frame.payload))
        if (frame.kind === 'header') {
          const { messageId = '' } = readProperties(readContentHeader(frame.payload).properties)
          messages.push({ messageId, tag: ++tag })
        }
      }
    })
  })

  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve({
        url: `amqp://guest:guest@127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
        messages,
        ack: (tag, multiple = false) => confirm('basic.ack', tag, multiple),
        nack: (tag, multiple = false) => confirm('basic.nack', tag, multiple),
        stop() {
          server.close()
          for (const socket of sockets) socket.destroy()
        },
      })
    })
  })
}
