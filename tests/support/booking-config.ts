import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BookingServices } from './booking-service.ts'

/** The services of a trip, in the order in which they are asked; sorted, too. */
export const WHOLE = ['flights', 'hotels', 'payments']

export interface BookingConfig {
  /** Where the file is written, and the journal lies. */
  readonly folder: string
  readonly services: BookingServices
  /** Of whom services hear as the sender; also the name of the file. */
  readonly sender?: string
  /** File of the journal within the folder, default `journal.db`. */
  readonly journal?: string
  readonly store?: string
  /** Before the composition. */
  readonly policies?: readonly object[]
}

/** Writes the configuration of a gateway that books trips at `POST /trips/:id`; returns its file. */
export function writeBookingConfig(options: BookingConfig): string {
  const { folder, services, sender = '', journal = 'journal.db', store, policies = [] } = options
  const file = join(folder, `gateway${sender && `-${sender}`}.yaml`)
  const parts = Object.fromEntries(WHOLE.map((name, i) => [name, partOf(name, WHOLE[i - 1])]))
  const config = {
    version: 1,
    services: { journal: `sqlite:${join(folder, journal)}`, ...(store === undefined ? {} : { store }) },
    upstreams: Object.fromEntries(WHOLE.map((name) => [name, { url: services.urlOf(name, sender) }])),
    routes: {
      trips: {
        path: '/trips/:id',
        methods: ['POST'],
        timeout: '5s',
        policies: [...policies, { aggregate: { timeout: '3s', parts } }],
      },
    },
  }
  writeFileSync(file, JSON.stringify(config))
  return file
}

function partOf(upstream: string, after: string | undefined) {
  return {
    upstream,
    method: 'POST',
    path: '/bookings',
    body: { trip: '{params.id}' },
    required: true,
    'pass-status': [409],
    ...(after === undefined ? {} : { after: [after] }),
    compensate: { method: 'DELETE', path: `/bookings/{parts.${upstream}.body.id}` },
  }
}
