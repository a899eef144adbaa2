import { afterAll, beforeAll, expect, test } from 'bun:test'
import { until } from '../real-time.ts'
import { startTcpProxy } from '../tcp-proxy.ts'
import { FOLLOWS, note, openSite, type Site, TRACE } from './bench.ts'

/** Each event takes effect once, and what follows from it is sent. */
export function testOnce(brokerUrl: () => string): void {
  let site: Site
  beforeAll(async () => {
    site = await openSite(brokerUrl())
  })
  afterAll(() => site.close())

  test('CON-01: an event that comes five times takes effect once, and so does what follows from it', async () => {
    const seen: string[] = []
    const bench = await site.run({
      apply(event) {
        seen.push(event.id)
        return [{ type: FOLLOWS, data: { text: event.id } }]
      },
    })
    const followers = await site.listen(FOLLOWS)
    for (let i = 0; i < 5; i += 1) await site.publish(note('five'))
    await site.publish(note('other'))
    await until('both are handled', () => seen.includes('other'))
    await until(
      'the repeats are known',
      () => bench.consumer.metrics.read('consumer_repeats_total', { queue: site.queue }) === 4,
    )
    await until('what follows is sent', () => followers.length >= 2)
    expect(seen).toEqual(['five', 'other'])
    expect(followers.map(({ properties }) => properties.headers?.cloudEvents_traceparent)).toEqual([
      note('').traceparent,
      note('').traceparent,
    ])
    expect(new Set(followers.map(({ properties }) => properties.messageId)).size).toBe(2)
    await site.stop(bench)
  })

  test('knows an event again whose acknowledgement was lost with the connection', async () => {
    const target = new URL(brokerUrl())
    const proxy = await startTcpProxy(Number(target.port), target.hostname)
    target.hostname = '127.0.0.1'
    target.port = String(proxy.port)
    let calls = 0
    const bench = await site.run({
      url: target.href,
      apply: () => {
        calls += 1
        return []
      },
      onStep: (step) => step === 'after-commit-before-ack' && proxy.cut(),
    })
    await site.publish(note('redelivered'))
    await until('the line is lost', () => bench.lines.some(({ message }) => message.startsWith('Lost the broker')))
    proxy.resume()
    await until('it is known', () => bench.consumer.metrics.read('consumer_repeats_total', { queue: site.queue }) === 1)
    expect(calls).toBe(1)
    await site.stop(bench)
    await proxy.close()
  })

  test('reads both spellings of the header names, native values, and structured mode', async () => {
    const seen: unknown[] = []
    const bench = await site.run({
      apply({ id, subject, time, traceparent, data }) {
        seen.push({ id, subject, time, traceparent, data })
        return []
      },
    })
    const { id, type, source, subject, traceparent, data } = note('spelt')
    const time = '2026-01-01T00:00:00.000Z'
    const headers = {
      'cloudEvents:specversion': '1.0',
      'cloudEvents:id': id,
      'cloudEvents:type': type,
      'cloudEvents:source': source,
      'cloudEvents:subject': subject,
      'cloudEvents:time': new Date(time),
      'cloudEvents:traceparent': traceparent,
    }
    await site.channel.basicPublish(site.exchange, type, JSON.stringify(data), { headers }, true)
    const structured = { specversion: '1.0', id: 'structured', type, source, subject, time, traceparent, data }
    const contentType = 'application/cloudevents+json; charset=utf-8'
    await site.channel.basicPublish(site.exchange, type, JSON.stringify(structured), { contentType }, true)
    await until('both are handled', () => seen.length === 2)
    expect(seen).toEqual([
      { id, subject, time, traceparent, data },
      { id: 'structured', subject, time, traceparent, data },
    ])
    await site.stop(bench)
  })

  test('writes the event, its subject and its trace into the log', async () => {
    const bench = await site.run()
    await site.publish(note('logged'))
    await until('it is logged', () => bench.lines.some(({ message }) => message === 'Handled an event'))
    expect(bench.lines.find(({ message }) => message === 'Handled an event')?.facts).toMatchObject({
      eventId: 'logged',
      subject: 'logged',
      traceId: TRACE,
    })
    await site.stop(bench)
  })

  test('sends what no queue takes until one does', async () => {
    const type = 'note.lonely'
    const bench = await site.run({ apply: () => [{ type, data: {} }] })
    await site.publish(note('lonely'))
    await until('the broker returned it', () => bench.consumer.metrics.read('consumer_returned_total', { type }) > 0)
    expect(bench.inbox.outgoing.count()).toBe(1)
    const taken = await site.listen(type)
    await until('it is taken', () => taken.length === 1 && bench.inbox.outgoing.count() === 0)
    await site.stop(bench)
  })

  test('sends what follows in the order of its subject, and the same ids when it is sent twice', async () => {
    let sent = 0
    const bench = await site.run({
      apply: ({ data }) =>
        (data as { texts: string[] }).texts.map((text, i) => ({ type: `${FOLLOWS}.${i}`, data: { text } })),
      onStep(step) {
        if (step !== 'after-publish-before-mark') return
        sent += 1
        // As if the process had died between the broker's confirmation and the note of it.
        if (sent === 3) throw new Error('not noted')
      },
    })
    const taken = await site.listen(`${FOLLOWS}.*`)
    await site.publish(note('many', { data: { texts: ['a', 'b', 'c', 'd', 'e'] } }))
    await until('nothing is owed any more', () => bench.inbox.outgoing.count() === 0)
    await until('all came', () => taken.length === 8)
    const texts = taken.map((message) => (JSON.parse(message.bodyToString() ?? '') as { text: string }).text)
    expect(texts.join('')).toBe('abcabcde')
    expect(new Set(taken.map(({ properties }) => properties.messageId)).size).toBe(5)
    await site.stop(bench)
  })
}
