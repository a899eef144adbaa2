import { afterAll, beforeAll, expect, test } from 'bun:test'
import { until } from '../real-time.ts'
import { FAST, FOLLOWS, note, openSite, type Site } from './bench.ts'

/** Shutdown, lost queues and things of the same name that are something else. */
export function testComingAndGoing(brokerUrl: () => string): void {
  let site: Site
  beforeAll(async () => {
    site = await openSite(brokerUrl())
  })
  afterAll(() => site.close())

  test('stops under load without losing or repeating anything', async () => {
    const seen: string[] = []
    const apply = ({ id }: { readonly id: string }) => {
      seen.push(id)
      return [{ type: FOLLOWS, data: { text: id } }]
    }
    const first = await site.run({ apply })
    const followers = await site.listen(FOLLOWS)
    const good = Array.from({ length: 400 }, (_, i) => note(`load-${i}`))
    const bad = good.map(({ id }) => note(`bad-${id}`))
    const publishing = Promise.all(
      good.flatMap((event, i) => [site.publish(event), site.publish(bad[i] ?? event, { body: 'poison' })]),
    )
    await until('it is in the middle of it', () => seen.length >= 50)
    await site.stop(first)
    const countAtStop = seen.length
    expect(first.inbox.outgoing.count()).toBe(0)
    expect(countAtStop).toBeLessThan(400)
    await publishing
    // RabbitMQ counts what it was given back a moment later.
    const kept = async () => (await site.depth(site.queue)) + (await site.depth(site.deadLetters))
    await until('the rest is kept', async () => (await kept()) === 800 - countAtStop)
    // An empty inbox: a repeat would show as a second effect.
    const second = await site.run({ apply })
    await until('the rest is handled', () => seen.length >= 400)
    await until('all that follows is sent', () => followers.length >= 400)
    expect(new Set(seen).size).toBe(400)
    expect(seen).toHaveLength(400)
    expect(new Set(followers.map(({ properties }) => properties.messageId)).size).toBe(400)
    const letters = await site.takeDeadLetters(400)
    expect(letters.map(({ properties }) => properties.messageId).sort()).toEqual(bad.map(({ id }) => id).sort())
    await site.stop(second)
  }, 30_000)

  test('stops in the middle of setting poison aside without setting any aside twice', async () => {
    const first = await site.run()
    const ids = Array.from({ length: 200 }, (_, i) => `poison-${i}`)
    const publishing = Promise.all(ids.map((id) => site.publish(note(id), { body: 'poison' })))
    const isUnderWay = () =>
      first.consumer.metrics.read('consumer_dead_letters_total', { queue: site.queue, reason: 'not-json' }) >= 20
    await until('it is in the middle of it', isUnderWay)
    await site.stop(first)
    await publishing
    const second = await site.run()
    const letters = await site.takeDeadLetters(200)
    expect(letters.map(({ properties }) => properties.messageId).sort()).toEqual(ids.sort())
    await until('its queue is empty', async () => (await site.depth(site.queue)) === 0)
    expect(await site.depth(site.deadLetters)).toBe(0)
    await site.stop(second)
  }, 30_000)

  test('has no more than 20 messages in hand, whatever waits', async () => {
    let calls = 0
    const full = await site.run({
      retriesMs: [600_000],
      apply: () => {
        calls += 1
        throw new Error('not yet')
      },
    })
    for (let i = 0; i < 30; i += 1) await site.publish(note(`waiting-${i}`))
    await until('it has all it takes', () => calls === 20)
    await until('the rest stays', async () => (await site.depth(site.queue)) === 10)
    expect(full.consumer.metrics.read('consumer_in_hand', { queue: site.queue })).toBe(20)
    await site.stop(full)
    const next = await site.run({ apply: () => [] })
    await until(
      'another takes all',
      () => next.consumer.metrics.read('consumer_handled_total', { queue: site.queue }) === 30,
    )
    await site.stop(next)
  })

  test('gives back at once what waits for a retry when it stops', async () => {
    let calls = 0
    const patient = await site.run({
      retriesMs: [600_000],
      apply: () => {
        calls += 1
        throw new Error('not yet')
      },
    })
    await site.publish(note('waiting'))
    await until('it waits', () => calls === 1)
    const startedMs = performance.now()
    await site.stop(patient)
    expect(performance.now() - startedMs).toBeLessThan(10_000)
    await until('it is back in its queue', async () => (await site.depth(site.queue)) === 1)
    const next = await site.run({ apply: () => [] })
    await until('another takes it', async () => (await site.depth(site.queue)) === 0)
    await site.stop(next)
  })

  test('declares its queue anew and goes on when somebody deletes it', async () => {
    const seen: string[] = []
    const bench = await site.run({
      apply({ id }) {
        seen.push(id)
        return []
      },
    })
    await site.channel.queueDelete(site.queue)
    const isBack = () => bench.lines.filter(({ message }) => message === 'Connected to the broker').length === 2
    await until('it is connected again', isBack)
    await site.publish(note('after'))
    await until('it is handled', () => seen.includes('after'))
    await site.stop(bench)
  })

  test('names the difference when a queue of its name is another one, and begins when that is mended', async () => {
    const delayQueue = `${site.queue}.retry-${FAST.delaysMs[0]}ms`
    await site.channel.queueDelete(delayQueue)
    const settings = {
      'x-queue-type': 'quorum',
      'x-dead-letter-strategy': 'at-least-once',
      'x-overflow': 'reject-publish',
      'x-message-ttl': 12_345,
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': site.queue,
    }
    await site.channel.queueDeclare(delayQueue, { durable: true }, settings)
    const bench = await site.run()
    const refusal = bench.lines.find(({ message }) => message.startsWith('Cannot use the broker'))
    expect(refusal?.facts.reason).toBe(
      `The queue "${delayQueue}" is there with another x-message-ttl: "12345" instead of "50". Empty and delete it, or use another name`,
    )
    await site.channel.queueDelete(delayQueue)
    await until('it is connected', () => bench.lines.some(({ message }) => message === 'Connected to the broker'))
    await site.stop(bench)
  })
}
