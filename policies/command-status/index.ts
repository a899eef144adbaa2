import { z } from 'zod'
import { reference } from '../../gateway/config/fields.ts'
import { GatewayError } from '../../gateway/core/errors.ts'
import type { EventStatus } from '../../gateway/core/events.ts'
import { principal } from '../../gateway/core/keys.ts'
import { definePolicy } from '../../gateway/core/policy.ts'

const options = z.strictObject({
  id: reference.prefault('params.id').describe('Where the id of the command stands in the request'),
})

const HEADERS = { 'content-type': 'application/json', 'cache-control': 'no-store' }

/** Longer than any id of ours: not worth asking for. */
const MAX_ID_LENGTH = 128

/** Tells what has become of a command that `enqueue` accepted: accepted, published or parked. */
export default definePolicy({
  name: 'command-status',
  at: 'route',
  ends: true,
  announces: true,
  // Without the caller, nobody's commands but strangers' would be found.
  follows: [principal],
  options,

  create({ id: idReference }, { events }) {
    return async function commandStatus(exchange) {
      const id = String(idReference.read(exchange.scope) ?? '')
      const status = id.length > MAX_ID_LENGTH ? undefined : await find(id)
      exchange.record.policies['command-status'] = { event: id.slice(0, MAX_ID_LENGTH), state: status?.state }
      // Another caller's command is answered like one that never was.
      if (!status || !maySee(status, exchange.get(principal)?.id)) {
        const detail = 'It is not known, or the broker has had it for more than 24 hours'
        throw new GatewayError('command-not-found', { detail })
      }
      return Response.json(describe(id, status), {
        headers: { ...HEADERS, ...(status.state === 'accepted' ? { 'retry-after': '1' } : {}) },
      })
    }

    async function find(id: string): Promise<EventStatus | undefined> {
      try {
        return await events.status(id)
      } catch (cause) {
        if (cause instanceof GatewayError) throw cause
        throw new GatewayError('overloaded', { headers: { 'retry-after': '5' }, cause })
      }
    }
  },
})

function maySee({ caller }: EventStatus, asking: string | undefined): boolean {
  return caller === undefined || caller === asking
}

/** Why a command is parked names parts of the broker: that is for the operator, who finds it in the log and the outbox. */
const PARKED = 'It could not be handed to the services that work on it, and waits for an operator'

function describe(id: string, { state, atMs }: EventStatus) {
  const reason = state === 'parked' ? { reason: PARKED } : {}
  return { id, status: state, since: new Date(atMs).toISOString(), ...reason }
}
