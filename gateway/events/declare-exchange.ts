import type { AmqpConnection } from './amqp-connection.ts'

type ChannelSource = Pick<AmqpConnection, 'openChannel'>

/**
 * Declares a durable topic exchange on a channel of its own: a refusal closes it, and with it would go what else is in
 * flight there. One that this user may not configure only has to exist.
 */
export async function declareExchange(connection: ChannelSource, exchange: string): Promise<void> {
  // The default exchange cannot be declared, and the names that begin with `amq.` are the broker's own.
  if (exchange === '') return
  const isReserved = exchange.startsWith('amq.')
  try {
    await declareOnce(connection, exchange, isReserved)
  } catch (error) {
    // Who may not configure exchanges may still publish to one that exists.
    if (isReserved || !(error instanceof Error && error.message.includes('(403)'))) throw error
    await declareOnce(connection, exchange, true)
  }
}

async function declareOnce({ openChannel }: ChannelSource, exchange: string, passive: boolean): Promise<void> {
  const channel = await openChannel()
  await channel.exchangeDeclare(exchange, 'topic', { durable: true, passive })
  // Not waited for: when the connection ends meanwhile, the client leaves whoever waits for this waiting for ever.
  void channel.close().catch(() => {})
}
