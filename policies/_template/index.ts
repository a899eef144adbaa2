import { z } from 'zod'
import { definePolicy } from '../../gateway/core/policy.ts'

const options = z.strictObject({
  greeting: z.string().default('hello').describe('What the upstream is told in x-greeting'),
})

/** Tells the upstream a greeting. */
export default definePolicy({
  name: 'my-policy',
  at: 'route',
  options,

  create({ greeting }) {
    return async function myPolicy(exchange, next) {
      exchange.outgoing.set('x-greeting', greeting)
      return next()
    }
  },
})
