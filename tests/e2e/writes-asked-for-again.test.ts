import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WHOLE, writeBookingConfig } from '../support/booking-config.ts'
import { type Addresses, type BookingGateway, countSagas, startBookingGateway } from '../support/booking-gateway.ts'
import { type BookingServices, startBookingServices } from '../support/booking-service.ts'
import { until } from '../support/real-time.ts'
import { describeWithRedis } from '../support/redis-under-test.ts'

const CLIENTS = 30
const POLICIES = [{ idempotency: { required: true, lease: '1s', ttl: '1m' } }]
/** The gateways of one machine share a journal; those of two have one each. */
const MACHINES = [
  { where: 'on one machine', journalOf: () => 'shared.db' },
  { where: 'on two machines', journalOf: (sender: string) => `${sender}.db` },
]

describeWithRedis('Thirty repeats of one request to two gateways on one Redis', (store) => {
  let folder = ''
  let services: BookingServices
  let trip = ''
  /** Holds the answer of the hotels to the first gateway. */
  let gate: PromiseWithResolvers<void> | undefined
  const running: BookingGateway[] = []

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-asked-again-'))
  })
  afterEach(async () => {
    gate?.resolve()
    for (const gateway of running) gateway.kill('SIGKILL')
    await Promise.all(running.splice(0).map(({ ended }) => ended))
    await services.stop()
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  async function start(sender: string, journal: string) {
    const gateway = startBookingGateway(
      writeBookingConfig({ folder, services, sender, journal, store, policies: POLICIES }),
    )
    running.push(gateway)
    const at = await gateway.served
    if (!at) throw new Error(`The gateway "${sender}" did not start`)
    return { ...gateway, at }
  }
  async function open(journalOf: (sender: string) => string) {
    gate = undefined
    trip = `trip-${crypto.randomUUID()}`
    services = startBookingServices({
      async beforeAnswer({ service, kind, sender }) {
        if (gate && service === 'hotels' && kind === 'book' && sender === 'first') await gate.promise
      },
    })
    return [await start('first', journalOf('first')), await start('second', journalOf('second'))] as const
  }

  async function ask({ url }: Addresses) {
    const init = { method: 'POST', headers: { 'idempotency-key': `"${trip}"` } }
    const response = await fetch(`${url}/trips/${trip}`, init)
    const text = await response.text()
    return { status: response.status, text, isReplayed: response.headers.get('idempotent-replayed') === 'true' }
  }
  /** As clients do: asks on, at another gateway when one is gone, until it is told what became of it (503: Redis was slow). */
  async function askOn(addresses: readonly Addresses[]) {
    let answer: Awaited<ReturnType<typeof ask>> | undefined
    let tries = 0
    await until(
      'an answer',
      async () => {
        const at = addresses[tries++ % addresses.length]
        answer = at && (await ask(at).catch(() => undefined))
        return answer !== undefined && answer.status !== 409 && answer.status !== 503
      },
      30_000,
    )
    return answer
  }
  const askAll = (first: Addresses, second: Addresses) =>
    Promise.all(Array.from({ length: CLIENTS }, (_, i) => askOn(i % 2 === 0 ? [first, second] : [second, first])))
  const idsOf = (text = '{}') =>
    Object.values(JSON.parse(text) as Record<string, { readonly id: string }>).map(({ id }) => id)
  const standing = () =>
    services.bookings.filter((booking) => booking.trip === trip && !booking.isCancelled).map(({ id }) => id)

  test.each(MACHINES)(
    '$where have every write made once, and one answer',
    async ({ journalOf }) => {
      const [first, second] = await open(journalOf)
      const answers = await askAll(first.at, second.at)
      expect(new Set(answers.map((answer) => answer?.status))).toEqual(new Set([200]))
      expect(new Set(answers.map((answer) => answer?.text)).size).toBe(1)
      expect(answers.filter((answer) => !answer?.isReplayed)).toHaveLength(1)
      expect(services.calls.map(({ service, kind }) => `${kind} ${service}`)).toEqual(
        WHOLE.map((name) => `book ${name}`),
      )
      expect(idsOf(answers[0]?.text)).toEqual(standing())
    },
    60_000,
  )

  test.each(MACHINES)(
    '$where have one trip and one answer when the first is killed in the middle',
    async ({ journalOf }) => {
      const [first, second] = await open(journalOf)
      gate = Promise.withResolvers()
      const begun = askOn([first.at, second.at])
      await until('the hotels asked', () => services.calls.some(({ service }) => service === 'hotels'))
      const others = askAll(first.at, second.at)
      first.kill('SIGKILL')
      const answers = [await begun, ...(await others)]
      gate.resolve()
      expect(new Set(answers.map((answer) => answer?.status))).toEqual(new Set([200]))
      expect(new Set(answers.map((answer) => answer?.text)).size).toBe(1)

      // What the first has left is undone by whoever has its journal: here it comes back.
      const again = await start('first-again', journalOf('first'))
      for (const { at } of [again, second]) {
        await until(
          'nothing to undo',
          async () => Object.values(await countSagas(at)).every((count) => count === 0),
          20_000,
        )
      }
      expect(idsOf(answers[0]?.text)).toEqual(standing())
      expect(services.standing(trip)).toEqual(WHOLE)
      expect(await ask(again.at)).toMatchObject({ status: 200, text: answers[0]?.text ?? '', isReplayed: true })
      // Those of the first were made and taken back; nothing was made twice.
      expect(services.bookings.map(({ service }) => service).sort()).toEqual([
        ...['flights', 'flights', 'hotels', 'hotels', 'payments'],
      ])
    },
    60_000,
  )
})
