import { afterEach } from 'bun:test'
import { type AMQPBaseClient, type AMQPChannel, AMQPClient, type AMQPMessage } from '@cloudamqp/amqp-client'

/** Where the broker under test is; a function when it is only known once the tests run. */
export type BrokerUrl = string | (() => string)

const PATIENCE_MS = 10_000
const POLL_MS = 5

/** Resolves once `condition` holds; rejects with `what` when it does not within ten seconds. */
export async function eventually(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + PATIENCE_MS
  while (!(await condition())) {
    if (Date.now() > giveUpAt) throw new Error(`Waited ${PATIENCE_MS} ms in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

/** The message of the error that `work` must end in. */
export async function refusalOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'not refused',
    (error: Error) => error.message,
  )
}

/** The messages a consumer got so far. */
export interface Inbox {
  readonly messages: AMQPMessage[]
  readonly texts: () => (string | null)[]
  readonly tag: string
  /** Resolves once at least `count` messages are there. */
  has(count: number): Promise<void>
}

/** Consumes with manual acknowledgements and keeps what comes. */
export async function consume(channel: AMQPChannel, queue: string, options = { noAck: false }): Promise<Inbox> {
  const messages: AMQPMessage[] = []
  const { tag } = await channel.basicConsume(queue, options, (message) => {
    messages.push(message)
  })
  return {
    messages,
    tag,
    texts: () => messages.map((message) => message.bodyString()),
    has: (count) => eventually(`${count} messages from ${queue}`, () => messages.length >= count),
  }
}

/** What one test uses; everything is closed and deleted after it. */
export class Scene {
  readonly #url: () => string
  readonly #clients: AMQPBaseClient[] = []
  readonly #queues: string[] = []
  readonly #exchanges: string[] = []

  constructor(url: () => string) {
    this.#url = url
  }

  /** A name nobody else uses. Queues and exchanges of that name are deleted at the end. */
  name(): string {
    const name = `conformance-${crypto.randomUUID()}`
    this.#queues.push(name)
    this.#exchanges.push(name)
    return name
  }

  /** Connects; `path` may name another virtual host. */
  async connect(path = ''): Promise<AMQPBaseClient> {
    const client = new AMQPClient(`${this.#url()}${path}`, undefined, null)
    client.onerror = () => {}
    await client.connect()
    this.#clients.push(client)
    return client
  }

  /** A channel with publisher confirms on a connection of its own. */
  async channel(): Promise<AMQPChannel> {
    const channel = await (await this.connect()).channel()
    await channel.confirmSelect()
    return channel
  }

  /** Declares a durable queue under a new name. */
  async queue(channel: AMQPChannel, queueArguments: Record<string, unknown> = {}): Promise<string> {
    const { name } = await channel.queueDeclare(this.name(), { durable: true }, queueArguments)
    return name
  }

  /** Declares a durable exchange under a new name. */
  async exchange(channel: AMQPChannel, type: string): Promise<string> {
    const name = this.name()
    await channel.exchangeDeclare(name, type)
    return name
  }

  async end(): Promise<void> {
    const channel = await (await this.connect()).channel()
    for (const client of this.#clients.slice(0, -1)) if (!client.closed) await client.close()
    for (const name of this.#queues) await channel.queueDelete(name)
    for (const name of this.#exchanges) await channel.exchangeDelete(name)
    await channel.connection.close()
  }
}

/** Gives every test its own scene and cleans up behind it. */
export function scenes(url: BrokerUrl): () => Scene {
  const open: Scene[] = []
  afterEach(async () => {
    for (const scene of open.splice(0)) await scene.end()
  })
  return () => {
    const scene = new Scene(typeof url === 'string' ? () => url : url)
    open.push(scene)
    return scene
  }
}

/** Publishes texts one after the other to a queue, confirmed. */
export async function send(channel: AMQPChannel, queue: string, ...texts: string[]): Promise<void> {
  for (const text of texts) await channel.basicPublish('', queue, text, { deliveryMode: 2 })
}

/** How many messages of a queue wait for a consumer. */
export async function readyCount(channel: AMQPChannel, queue: string): Promise<number> {
  return (await channel.queueDeclare(queue, { passive: true })).messageCount
}

/** The next message of a queue, without acknowledgement, as soon as there is one. */
export async function next(channel: AMQPChannel, queue: string): Promise<AMQPMessage> {
  let message: AMQPMessage | null = null
  await eventually(`a message in ${queue}`, async () => {
    message = await channel.basicGet(queue, { noAck: true })
    return message !== null
  })
  if (message === null) throw new Error(`No message in ${queue}`)
  return message
}
