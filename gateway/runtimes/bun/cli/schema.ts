import { builtInPolicies } from '../../../../policies/index.ts'
import { createJsonSchema } from '../../../config/json-schema.ts'

/** `sluice schema`: the JSON Schema editors complete and check the file with. */
export function schema(): number {
  console.log(JSON.stringify(createJsonSchema(builtInPolicies), null, 2))
  return 0
}
