import { z } from 'zod'
import { headerName, template } from '../../gateway/config/fields.ts'
import { editResponse } from '../../gateway/core/edit-response.ts'
import { definePolicy } from '../../gateway/core/policy.ts'
import type { Template } from '../../gateway/core/template.ts'
import { fieldPattern, matchingNames } from './field-pattern.ts'
import { protectedMistakes } from './protected-fields.ts'

const set = z.record(headerName, template).default({})
const remove = z.array(fieldPattern).max(100).default([])

const options = z.strictObject({
  request: z
    .strictObject({
      set: set.describe('Fields the upstream gets, with "{…}" replaced; a field whose value is empty is not sent'),
      remove: remove.describe(
        'Fields of the client the upstream does not get; "x-internal-*" stands for all that begin so',
      ),
    })
    .prefault({})
    .describe('Changes to what the upstream is sent'),
  response: z
    .strictObject({
      set: set.describe(
        'Fields the client gets instead of the upstream’s, with "{…}" replaced; an empty value removes the field',
      ),
      remove: remove.describe(
        'Fields of the upstream the client does not get; "x-internal-*" stands for all that begin so',
      ),
    })
    .prefault({})
    .describe('Changes to what the client is answered'),
})

/** Sets and removes header fields, on the way to the upstream and on the way back. */
export default definePolicy({
  name: 'headers',
  at: 'route',
  options,
  check: protectedMistakes,
  // What says who the caller is must not be forged on another route that does not set it.
  reserves: ({ request }) =>
    Object.entries(request.set).flatMap(([name, value]) => (readsIdentity(value) ? [name] : [])),

  create({ request, response }) {
    const sent = Object.entries(request.set)
    const answered = Object.entries(response.set)

    return async function headers({ request: incoming, outgoing, scope }, next) {
      for (const name of matchingNames(request.remove, incoming.headers)) outgoing.remove(name)
      for (const [name, value] of sent) {
        const text = value.header(scope)
        if (text === '') outgoing.remove(name)
        else outgoing.set(name, text)
      }
      const values = answered.map(([name, value]) => [name, value.header(scope)] as const)
      return editResponse(await next(), (fields) => {
        for (const name of matchingNames(response.remove, fields)) fields.delete(name)
        for (const [name, text] of values) {
          if (text === '') fields.delete(name)
          else fields.set(name, text)
        }
      })
    }
  },
})

function readsIdentity({ references }: Template): boolean {
  return references.some(({ root }) => root === 'claims' || root === 'client')
}
