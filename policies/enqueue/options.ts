import { z } from 'zod'
import { pathTemplate, shortText, template } from '../../gateway/config/fields.ts'
import type { OptionMistake, Site } from '../../gateway/core/policy.ts'

export const options = z.strictObject({
  type: shortText().describe('Type of the command, such as "order.requested"'),
  exchange: shortText().describe('Exchange of the broker the command goes to'),
  'routing-key': shortText().optional().describe('Routing key of the message; the type when left out'),
  source: shortText().optional().describe('Source of the command; urn:sluice:route:<route> when left out'),
  subject: template
    .optional()
    .describe('What the command is about, such as "{body.cart}"; commands of one subject keep their order'),
  data: template.prefault('{body}').describe('Data of the command; one reference and nothing else keeps its JSON type'),
  'status-path': pathTemplate.describe(
    'Where the client may ask what became of the command, such as "/commands/{command.id}"; a route with command-status answers there',
  ),
})

export type EnqueueOptions = z.output<typeof options>

export function siteMistakes(given: EnqueueOptions, { eventSchema }: Site): OptionMistake[] {
  const { mistake } = eventSchema?.(given.type) ?? {}
  return [...(mistake === undefined ? [] : [{ path: ['type'], message: mistake }]), ...commandIdMistakes(given)]
}

/** The id of a repeated command is worked out from its subject and its data, so that neither can hold it. */
function commandIdMistakes(given: EnqueueOptions): OptionMistake[] {
  return (['subject', 'data'] as const).flatMap((name) =>
    given[name]?.references.some(({ root }) => root === 'command')
      ? [
          {
            path: [name],
            message: '"command.id" has no value here, only in status-path: consumers find it as message-id',
          },
        ]
      : [],
  )
}
