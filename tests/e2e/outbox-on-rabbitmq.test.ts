import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Outbox } from '../../gateway/events/outbox.ts'
import { openSqliteOutbox } from '../../gateway/runtimes/bun/sqlite-outbox.ts'
import {
  firstsOf,
  openCounter,
  startDelivering,
  type WatchedExchange,
  watchExchange,
} from '../support/delivery-scene.ts'
import { until } from '../support/real-time.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

const { AMQP_TEST_URL: brokerUrl = '', CI } = process.env
const isLeftOut = brokerUrl === '' && CI !== 'true'
const title = 'The outbox with RabbitMQ'

describe.skipIf(isLeftOut)(isLeftOut ? `${title} (LEFT OUT: AMQP_TEST_URL names no broker)` : title, () => {
  let folder: string
  let outbox: Outbox
  let proxy: TcpProxy
  let watched: WatchedExchange
  let delivering: ReturnType<typeof startDelivering>

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-outbox-rabbitmq-'))
    watched = await watchExchange(brokerUrl)
    const broker = new URL(brokerUrl)
    proxy = await startTcpProxy(Number(broker.port || 5672), broker.hostname)
    broker.hostname = '127.0.0.1'
    broker.port = String(proxy.port)
    outbox = openSqliteOutbox({ path: join(folder, 'outbox.db') })
    delivering = startDelivering(outbox, broker.href)
    await until('a connection', () => delivering.publisher.state.name === 'ready')
  })
  afterEach(async () => {
    await delivering.stop()
    await proxy.close()
    await watched.remove()
    rmSync(folder, { recursive: true })
  })

  const left = async () => (await outbox.counts()).committed
  const untilDrained = () => delivering.drained(25_000)
  const ids = (subject: string, count: number) => Array.from({ length: count }, (_, i) => `${subject}-${i}`)
  async function orderAll(subjects: readonly string[], count: number, data?: unknown): Promise<void> {
    const each = subjects.map(async (subject) => {
      for (const id of ids(subject, count)) await delivering.order(id, subject, watched.exchange, data)
    })
    await Promise.all(each)
  }
  const SUBJECTS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']

  test('loses nothing and keeps each order when the connection is cut in the middle of a frame, many times (EV-07)', async () => {
    const cutting = (async () => {
      for (const bytes of [10_007, 23_456, 777, 40_001, 5_333]) {
        proxy.cutAfter(bytes)
        await until('the cut', () => delivering.publisher.state.name === 'away')
        proxy.resume()
        await until('a new connection', () => delivering.publisher.state.name === 'ready')
      }
    })()
    let round = 0
    let isOver = false
    void cutting.finally(() => {
      isOver = true
    })
    while (!isOver) {
      const r = round++
      await Promise.all(
        SUBJECTS.map((subject) => delivering.order(`${subject}-${r}`, subject, watched.exchange, 'x'.repeat(500))),
      )
    }
    await cutting
    await untilDrained()
    const arrivals = await watched.drain()
    expect(firstsOf(arrivals)).toHaveLength(round * SUBJECTS.length)
    for (const subject of SUBJECTS) expect(firstsOf(arrivals, subject)).toEqual(ids(subject, round))
    // The cuts came while messages were on their way: what was not confirmed came again, under the same id.
    expect(delivering.telemetry.valueOf('sluice_relay_retries_total')).toBeGreaterThan(0)
  }, 60_000)

  test('does not take the confirmation of an event nobody is bound for as a delivery, and sends it once one is (EV-14)', async () => {
    await watched.use((channel) => channel.queueUnbind(watched.queue, watched.exchange, '#'))
    await delivering.order('a-0', 'a', watched.exchange)
    await delivering.order('a-1', 'a', watched.exchange)
    await until('a return', () => delivering.telemetry.valueOf('sluice_events_returned_total') > 1)
    expect(delivering.telemetry.valueOf('sluice_events_confirmed_total')).toBe(0)
    expect(await left()).toBe(2)
    await watched.use((channel) => channel.queueBind(watched.queue, watched.exchange, '#'))
    await untilDrained()
    expect((await watched.drain()).map(({ id }) => id)).toEqual(['a-0', 'a-1'])
  })

  test('keeps the events of an exchange that is deleted, while those of another pass, and sends them when it is back (EV-15)', async () => {
    const other = await watchExchange(brokerUrl)
    await delivering.order('a-0', 'a', watched.exchange)
    await untilDrained()
    await watched.use(async (channel) => {
      await channel.exchangeDelete(watched.exchange)
    })
    await delivering.order('a-1', 'a', watched.exchange)
    await until('a refusal or a return', () => delivering.telemetry.valueOf('sluice_relay_retries_total') > 0)
    await delivering.order('b-0', 'b', other.exchange)
    await until('the other event', async () => (await left()) === 1)
    expect((await other.drain()).map(({ id }) => id)).toEqual(['b-0'])
    // The relay has declared the exchange anew; the queue has to be bound again by whoever owns it.
    await watched.use(async (channel) => {
      await channel.exchangeDeclare(watched.exchange, 'topic', { durable: true })
      await channel.queueBind(watched.queue, watched.exchange, '#')
    })
    await untilDrained()
    expect((await watched.drain()).map(({ id }) => id)).toEqual(['a-0', 'a-1'])
    await other.remove()
  })

  test('takes orders without waiting for a slow broker, and has a bounded number in flight (EV-22)', async () => {
    proxy.slow(10_000)
    let orders = 0
    const answer = () => ({ id: `slow-${orders++}`, note: 'x'.repeat(2_000) })
    const place = await openCounter(outbox, delivering, { ...watched, answer })
    for (let i = 0; i < 300; i++) expect((await place()).status).toBe(201)
    // All of them are taken, and hardly any is delivered: nobody waited for a broker that needs a minute for these.
    expect(await left()).toBeGreaterThan(200)
    const { telemetry } = delivering
    const inFlight = () =>
      telemetry.valueOf('sluice_events_published_total') -
      telemetry.valueOf('sluice_events_confirmed_total') -
      telemetry.valueOf('sluice_relay_retries_total')
    expect(inFlight()).toBeLessThanOrEqual(256)
    await until('overdue confirmations', () => telemetry.valueOf('sluice_relay_retries_total') > 0)
    expect(inFlight()).toBeLessThanOrEqual(256)
    proxy.resume()
    await untilDrained()
    expect(firstsOf(await watched.drain())).toHaveLength(300)
  }, 60_000)

  test('counts thousands of confirmations exactly (EV-25)', async () => {
    await orderAll(SUBJECTS, 300)
    await untilDrained()
    const arrivals = await watched.drain()
    expect(arrivals).toHaveLength(2_400)
    for (const subject of SUBJECTS) expect(firstsOf(arrivals, subject)).toEqual(ids(subject, 300))
    expect(delivering.telemetry.valueOf('sluice_events_confirmed_total')).toBe(2_400)
    expect(delivering.telemetry.valueOf('sluice_events_published_total')).toBe(2_400)
  }, 60_000)
})
