import type { Logger } from '../../gateway/core/telemetry.ts'
import type { SagaStorage } from '../../gateway/saga/saga-storage.ts'
import { TEST_START } from '../../tests/support/gateway.ts'
import { createVirtualClock } from '../../tests/support/virtual-clock.ts'
import { createBookingServices, type Happening, openBooking, TRIP } from './test-booking.ts'

/** Keeps the lines of requests as text, as a real log does: what becomes known afterwards is not in them. */
export function textLog() {
  const lines: string[] = []
  const keep = (message: string, facts?: object) => {
    if (message === 'request') lines.push(JSON.stringify(facts))
  }
  const log: Logger = { info: keep, warn: keep, error: keep }
  return { log, requests: () => lines.map((line) => JSON.parse(line)) }
}

type Happen = (service: string, kind: 'book' | 'cancel', nth: number) => Happening

/** Books a trip; `lines` are those about its writes. */
export async function openTrip(happen: Happen, storage?: SagaStorage) {
  const { log, requests } = textLog()
  const services = createBookingServices(happen)
  const scene = await openBooking({
    upstream: services.answer,
    clock: createVirtualClock(TEST_START),
    services: { log },
    ...(storage && { storage }),
  })
  const client = new AbortController()
  const [path, init] = TRIP()
  const asking = scene.gateway.fetch(path, init, { ip: '192.0.2.1', gone: client.signal })
  const lines = () =>
    scene.telemetry.lines.map(({ message, facts }): Readonly<Record<string, unknown>> => ({ message, ...facts }))
  return { ...scene, services, asking, leave: () => client.abort(), requests, lines }
}
