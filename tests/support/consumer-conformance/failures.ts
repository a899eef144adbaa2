import { Database } from 'bun:sqlite'
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../real-time.ts'
import { FAST, note, openSite, type Site, TRACE } from './bench.ts'

/** What becomes of events that cannot be handled: now, later, or ever. */
export function testFailures(brokerUrl: () => string): void {
  let site: Site
  beforeAll(async () => {
    site = await openSite(brokerUrl())
  })
  afterAll(() => site.close())

  test('CON-04: poison is a dead letter at once with its reason, byte for byte, and the queue keeps moving', async () => {
    const seen: string[] = []
    const bench = await site.run({
      maxEventBytes: 1_000,
      apply({ id }) {
        seen.push(id)
        return []
      },
      mistakeIn: (data) => (typeof data === 'object' ? undefined : 'expected an object'),
    })
    const wild = new Uint8Array([0x7b, 0xff, 0x00])
    await site.publish(note('not-json'), { body: wild })
    await site.publish(note('wrong-data', { data: 'text' }))
    await site.publish(note('unknown-version'), { headers: { cloudEvents_specversion: '0.3' } })
    await site.publish(note('unknown-type'), { headers: { cloudEvents_type: 'note.burnt' } })
    await site.publish(note('too-large', { data: { text: 'x'.repeat(1_000) } }))
    await site.publish(note('not-an-event'), { headers: { cloudEvents_id: '' } })
    await site.publish(note('good'))
    await until('the good one is handled', () => seen.includes('good'))
    const letters = await site.takeDeadLetters(6)
    expect(seen).toEqual(['good'])
    for (const { properties, routingKey } of letters) {
      expect(routingKey).toBe(site.queue)
      expect(properties.headers).toMatchObject({
        'x-error-type': properties.messageId,
        'x-attempts': 1,
        'x-queue': site.queue,
        'x-first-failure-at': expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
        'x-error-detail': expect.stringMatching(/\w/),
      })
    }
    const reasons = letters.map(({ properties }) => properties.messageId).sort()
    expect(reasons).toEqual(['not-an-event', 'not-json', 'too-large', 'unknown-type', 'unknown-version', 'wrong-data'])
    const [raw] = letters.filter(({ properties }) => properties.messageId === 'not-json')
    expect(raw?.body).toEqual(wild)
    expect(bench.consumer.metrics.read('consumer_dead_letters_total', { queue: site.queue, reason: 'not-json' })).toBe(
      1,
    )
    await site.stop(bench)
  })

  test('sets aside a message that no CloudEvents publisher would send: no headers, no body, no id', async () => {
    const bench = await site.run()
    await site.channel.basicPublish('', site.queue, null, {}, true)
    const [letter] = await site.takeDeadLetters(1)
    expect(letter?.properties.headers).toMatchObject({ 'x-error-type': 'not-json', 'x-queue': site.queue })
    await site.stop(bench)
  })

  test('tries four times in place and after each delay, then gives up with the whole story and no secrets', async () => {
    let calls = 0
    const bench = await site.run({
      apply: () => {
        calls += 1
        throw new RangeError('card 4242 4242 4242 4242 refused by amqp://user:secret@host, Bearer abc.def')
      },
    })
    await site.publish(note('hopeless'), { headers: { 'x-own': 'kept' } })
    const [letter] = await site.takeDeadLetters(1)
    expect(calls).toBe(16)
    expect(letter?.properties).toMatchObject({
      messageId: 'hopeless',
      deliveryMode: 2,
      contentType: 'application/json',
    })
    expect(letter?.properties.headers).toMatchObject({
      'x-own': 'kept',
      'x-error-type': 'RangeError',
      'x-error-detail': 'card *** refused by amqp://***@host, Bearer ***',
      'x-attempts': 16,
      'x-queue': site.queue,
      cloudEvents_id: 'hopeless',
      cloudEvents_subject: 'hopeless',
      cloudEvents_traceparent: note('').traceparent,
    })
    expect(letter?.properties.headers).not.toHaveProperty('x-death')
    expect(JSON.parse(letter?.bodyToString() ?? '')).toEqual({ text: 'hopeless' })
    const retries = (how: string) => bench.consumer.metrics.read('consumer_retries_total', { queue: site.queue, how })
    expect([retries('in place'), retries('delayed')]).toEqual([12, 3])
    expect(bench.lines.find(({ message }) => message === 'Gave up on a message')?.facts).toMatchObject({
      traceId: TRACE,
    })
    await site.stop(bench)
  })

  test('CON-07: a dead letter that is replayed twice takes effect once, in the same trace', async () => {
    let isBroken = true
    const traces: unknown[] = []
    const bench = await site.run({
      apply({ traceparent }) {
        if (isBroken) throw new Error('broken')
        traces.push(traceparent)
        return []
      },
    })
    await site.publish(note('replayed'))
    const [letter] = await site.takeDeadLetters(1)
    if (!letter) throw new Error('no dead letter')
    isBroken = false
    await site.replay(letter)
    await site.replay(letter)
    await until(
      'the second is known',
      () => bench.consumer.metrics.read('consumer_repeats_total', { queue: site.queue }) === 1,
    )
    expect(traces).toEqual([note('').traceparent])
    await site.stop(bench)
  })

  test('keeps the order of a subject while its first event is retried, and lets others pass', async () => {
    const done: string[] = []
    const tries = new Map<string, number>()
    const bench = await site.run({
      apply({ id }) {
        const tried = (tries.get(id) ?? 0) + 1
        tries.set(id, tried)
        // Through all delay queues: the last attempt of the last round succeeds.
        if (id === 'a1' && tried < 16) throw new Error('not yet')
        done.push(id)
        return []
      },
    })
    await site.publish(note('a1', { subject: 'a' }))
    for (const id of ['a2', 'a3', 'a4']) await site.publish(note(id, { subject: 'a' }))
    for (let i = 1; i <= 30; i += 1) await site.publish(note(`b${i}`, { subject: `b${i}` }))
    await until('a1 waits in a delay queue', () => (tries.get('a1') ?? 0) >= 4)
    await site.publish(note('a5', { subject: 'a' }))
    await until('all are handled', () => done.length === 35)
    expect(done.filter((id) => id.startsWith('a'))).toEqual(['a1', 'a2', 'a3', 'a4', 'a5'])
    expect(done.indexOf('a1')).toBeGreaterThan(30 - 1)
    expect(tries.get('a1')).toBe(16)
    await site.stop(bench)
  })

  test('keeps that order over a restart in the middle of it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'consumers-'))
    const path = join(folder, 'notes.db')
    const done: string[] = []
    let tries = 0
    const apply = ({ id }: { readonly id: string }) => {
      if (id === 'first') tries += 1
      if (id === 'first' && tries < 9) throw new Error('not yet')
      done.push(id)
      return []
    }
    const before = await site.run({ path, apply })
    await site.publish(note('first', { subject: 's' }))
    await until('it waits in a delay queue', () => tries >= 4)
    await site.stop(before)
    await site.publish(note('second', { subject: 's' }))
    const after = await site.run({ path, apply })
    await until('both are handled', () => done.length === 2)
    expect(done).toEqual(['first', 'second'])
    await site.stop(after)
    rmSync(folder, { recursive: true })
  })

  test('CON-05: while its database cannot be written it waits, dead-letters nothing and keeps the order', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'consumers-'))
    const path = join(folder, 'notes.db')
    const done: string[] = []
    const bench = await site.run({
      path,
      apply({ id }) {
        done.push(id)
        return []
      },
    })
    const other = new Database(path)
    other.run('BEGIN IMMEDIATE')
    for (const id of ['k1', 'k2', 'k3']) await site.publish(note(id, { subject: 'k' }))
    await site.publish(note('other'))
    const waits = () => bench.consumer.metrics.read('consumer_waits_total', { queue: site.queue })
    // Two subjects, four waits each from 0.1 s on: longer than all retries in place and all delays together.
    await until('it has waited long', () => waits() >= 8)
    expect(done).toEqual([])
    other.run('ROLLBACK')
    await until('all are handled', () => done.length === 4)
    expect(done.filter((id) => id !== 'other')).toEqual(['k1', 'k2', 'k3'])
    expect(await site.depth(site.deadLetters)).toBe(0)
    for (const ms of FAST.delaysMs) expect(await site.depth(`${site.queue}.retry-${ms}ms`)).toBe(0)
    await site.stop(bench)
    other.close()
    rmSync(folder, { recursive: true })
  })
}
