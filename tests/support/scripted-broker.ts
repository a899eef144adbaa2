import { createServer, type Socket } from 'node:net'
import { FrameReader, HEARTBEAT_FRAME, methodFrame, readContentHeader } from '../../gateway/broker/codec/frames.ts'
import { readMethod } from '../../gateway/broker/codec/method-codec.ts'
import type { Method, MethodName } from '../../gateway/broker/codec/methods.ts'
import { readProperties } from '../../gateway/broker/codec/properties.ts'
import { startArguments, tuneArguments } from '../../gateway/broker/session/handshake.ts'

/** A message that waits for the test to acknowledge it. */
export interface ScriptedMessage {
  readonly messageId: string
  readonly exchange: string
  /** Counts the messages of its channel, from 1. */
  readonly tag: number
  /** Acknowledges it, however late. */
  ack(): void
}

/** What the client says last before the broker stalls: the eight octets a connection begins with, or a method. */
export type Stage = 'protocol-header' | MethodName

/** What the broker does from there on with this connection. */
export type Stall = 'says nothing more' | 'sends heartbeats and nothing else' | 'hangs up' | 'closes the connection'

/** An AMQP broker whose confirmations the test words, one by one. */
export interface ScriptedBroker {
  readonly url: string
  /** Every message so far, in the order it came. */
  readonly messages: readonly ScriptedMessage[]
  /** On the channel that published last. `multiple`: all up to that tag. */
  ack(tag: number, multiple?: boolean): void
  nack(tag: number, multiple?: boolean): void
  /** From now on every message is acknowledged as it comes, but for those to the exchange `except`. */
  ackAll(except?: string): void
  /** How many channels are open on all connections. */
  readonly channels: number
  /** The next connection that comes to that stage stalls there; those after it go on. */
  stallOnce(stage: Stage, how: Stall): void
  /** Whether a connection has stalled as it was told to. */
  readonly hasStalled: boolean
  stop(): void
}

const PROTOCOL_HEADER_BYTES = 8
const BEAT_MS = 10
const INTERNAL_ERROR = { replyCode: 541, replyText: 'INTERNAL_ERROR', classId: 0, methodId: 0 }

/** Starts it on a port of 127.0.0.1. It agrees to everything and keeps nothing. */
export function startScriptedBroker(): Promise<ScriptedBroker> {
  const messages: ScriptedMessage[] = []
  const sockets = new Set<Socket>()
  let next: { readonly stage: Stage; readonly how: Stall } | undefined
  let hasStalled = false
  const open = new Set<string>()
  let isAcked = (_exchange: string) => false
  let connections = 0
  let confirm = (_name: 'basic.ack' | 'basic.nack', _tag: number, _multiple: boolean) => {}

  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    const connection = ++connections
    const reader = new FrameReader()
    /** By channel: how many messages came, and where the one that is coming goes. */
    const tags = new Map<number, number>()
    const exchanges = new Map<number, string>()
    let isGreeted = false
    let isStalled = false

    /** Whether the connection goes no further than this. */
    function stallsAt(stage: Stage): boolean {
      if (isStalled || next?.stage !== stage) return isStalled
      const { how } = next
      next = undefined
      isStalled = true
      hasStalled = true
      if (how === 'hangs up') socket.destroy()
      if (how === 'closes the connection') socket.write(methodFrame(0, 'connection.close', INTERNAL_ERROR))
      if (how === 'sends heartbeats and nothing else') {
        const beating = setInterval(() => socket.write(HEARTBEAT_FRAME), BEAT_MS)
        socket.on('close', () => clearInterval(beating))
      }
      return true
    }

    function answer(channel: number, { name, arguments: given }: Method): void {
      const send = (...frame: Parameters<typeof methodFrame>) => socket.write(methodFrame(...frame))
      if (name === 'connection.start-ok') send(0, 'connection.tune', tuneArguments(100))
      if (name === 'connection.open') send(0, 'connection.open-ok', {})
      if (name === 'connection.close') send(0, 'connection.close-ok', {})
      if (name === 'channel.open') {
        tags.set(channel, 0)
        open.add(`${connection}.${channel}`)
        send(channel, 'channel.open-ok', {})
      }
      if (name === 'channel.close') {
        open.delete(`${connection}.${channel}`)
        send(channel, 'channel.close-ok', {})
      }
      if (name === 'exchange.declare') send(channel, 'exchange.declare-ok', {})
      if (name === 'queue.declare') {
        send(channel, 'queue.declare-ok', { queue: given.queue, messageCount: 0, consumerCount: 0 })
      }
      if (name === 'queue.bind') send(channel, 'queue.bind-ok', {})
      if (name === 'confirm.select') send(channel, 'confirm.select-ok', {})
      if (name === 'basic.publish') {
        exchanges.set(channel, given.exchange)
        confirm = (method, deliveryTag, multiple) => {
          if (method === 'basic.ack') send(channel, method, { deliveryTag, multiple })
          else send(channel, method, { deliveryTag, multiple, requeue: false })
        }
      }
    }

    socket.on('close', () => {
      for (const channel of tags.keys()) open.delete(`${connection}.${channel}`)
    })
    socket.on('data', (bytes: Uint8Array) => {
      reader.push(bytes)
      if (!isGreeted) {
        if (!reader.take(PROTOCOL_HEADER_BYTES)) return
        isGreeted = true
        if (!stallsAt('protocol-header')) socket.write(methodFrame(0, 'connection.start', startArguments()))
      }
      for (let frame = reader.next(); frame; frame = reader.next()) {
        if (frame.kind === 'method') {
          const method = readMethod(frame.payload)
          if (!stallsAt(method.name)) answer(frame.channel, method)
        }
        if (frame.kind === 'header' && !isStalled) {
          const { messageId = '' } = readProperties(readContentHeader(frame.payload).properties)
          const exchange = exchanges.get(frame.channel) ?? ''
          const tag = (tags.get(frame.channel) ?? 0) + 1
          tags.set(frame.channel, tag)
          const settle = confirm
          const ack = () => settle('basic.ack', tag, false)
          messages.push({ messageId, exchange, tag, ack })
          if (isAcked(exchange)) ack()
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
        ackAll(except) {
          isAcked = (exchange) => exchange !== except
        },
        get channels() {
          return open.size
        },
        stallOnce(stage, how) {
          next = { stage, how }
          hasStalled = false
        },
        get hasStalled() {
          return hasStalled
        },
        stop() {
          server.close()
          for (const socket of sockets) socket.destroy()
        },
      })
    })
  })
}
