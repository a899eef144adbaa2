import { z } from 'zod'
import { definePolicy } from '../../gateway/core/policy.ts'
import { noteWhole } from '../../gateway/core/read-reply.ts'
import { destination, locationOf } from './destination.ts'

const options = z.strictObject({
  to: destination.describe('Path, or URL with a fixed host, to send the client to, with "{…}" replaced'),
  status: z
    .literal([301, 302, 303, 307, 308])
    .default(302)
    .describe('301 and 308 are remembered by clients; 307 and 308 keep the method'),
  'keep-query': z.boolean().default(false).describe('Whether the request\'s query is added; not when "to" has its own'),
})

/** Sends the client elsewhere. */
export default definePolicy({
  name: 'redirect',
  at: 'route',
  ends: true,
  options,

  check({ to, 'keep-query': keepQuery }) {
    if (!keepQuery || !to.path.source.includes('?')) return []
    return [{ path: ['keep-query'], message: '"to" has a query of its own: drop that, or keep-query' }]
  },

  create({ to, status, 'keep-query': keepQuery }) {
    return async function redirect({ scope, search }) {
      const location = locationOf(to, scope) + (keepQuery ? search : '')
      return noteWhole(new Response(null, { status, headers: { location } }))
    }
  },
})
