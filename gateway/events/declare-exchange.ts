import type { AmqpConnection } from './amqp-connection.ts'

type ChannelSource = Pick<AmqpConnection, 'openChannel'>

/**
 * Declares a durable topic exchange on a channel of its own: a refusal closes it, and with it would go what else is in
 * flight there. One that this user may not configure, or that is somebody else's, only has to exist.
 */
export async function declareExchange(source: ChannelSource, exchange: string, isOthers = false): Promise<void> {
  // The default exchange cannot be declared, and the names that begin with `amq.` are the broker's own.
  if (exchange === '') return
  const isTheirs = isOthers || exchange.startsWith('amq.')
  try {
    await declareOnce(source, exchange, isTheirs)
  } catch (error) {
    // Who may not configure exchanges may still publish to one that exists.
    if (isTheirs || !(error instanceof Error && error.message.includes('(403)'))) throw error
    await declareOnce(source, exchange, true)
  }
}

async function declareOnce({ openChannel }: ChannelSource, exchange: string, passive: boolean): Promise<void> {
  const channel = await openChannel()
  await channel.exchangeDeclare(exchange, 'topic', { durable: true, passive })
  // Not waited for: when the connection ends meanwhile, the client leaves whoever waits for this waiting for ever.
  void channel.close().catch(() => {})
}
