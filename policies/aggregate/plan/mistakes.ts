import { FRAMING_FIELDS } from '../../../gateway/core/framing-fields.ts'
import type { OptionMistake, Site } from '../../../gateway/core/policy.ts'
import type { AggregateOptions, PartOptions } from '../options.ts'
import { readingsOf } from './readings.ts'
import { compileSuccess } from './success.ts'

/** Options that lead nowhere or contradict each other within one part. */
export function partMistakes({ parts, ...settings }: AggregateOptions, { upstreams }: Site): OptionMistake[] {
  const optional = Object.values(parts).filter(({ required }) => !required)
  return [
    ...Object.entries(parts).flatMap(([name, part]) =>
      [
        ...upstreamMistakes(part, upstreams),
        ...requiredMistakes(part),
        ...callMistakes(part),
        ...itemMistakes(part),
      ].map((mistake) => ({ ...mistake, path: ['parts', name, ...mistake.path], within: ['parts', name] })),
    ),
    ...(settings['wait-for-optional'] !== undefined && optional.length === 0
      ? [{ path: ['wait-for-optional'], message: 'is never used: every part is required' }]
      : []),
  ]
}

function upstreamMistakes({ upstream }: PartOptions, upstreams: readonly string[]): OptionMistake[] {
  if (upstreams.includes(upstream)) return []
  return [{ path: ['upstream'], message: `unknown upstream "${upstream}"`, found: upstream, candidates: upstreams }]
}

function requiredMistakes(part: PartOptions): OptionMistake[] {
  const passed = part['pass-status'] ?? []
  if (!part.required) {
    return passed.length === 0
      ? []
      : [{ path: ['pass-status'], message: 'is never used: only a required part decides the answer; add "required"' }]
  }
  const { includes } = compileSuccess(part.success)
  const message = 'is never used: without a required part there is no answer; remove the fallback, or "required"'
  return [
    ...(['fallback', 'fallback-to'] as const)
      .filter((key) => part[key] !== undefined)
      .map((key) => ({ path: [key], message })),
    ...passed
      .map((status, i) => ({ path: ['pass-status', i], message: `${status} is a success of this part`, status }))
      .filter(({ status }) => includes(status))
      .map(({ path, message }) => ({ path, message })),
  ]
}

/** Fields that the aggregate writes itself, as it reads the reply. */
const OWN_FIELDS: ReadonlySet<string> = new Set([...FRAMING_FIELDS, 'accept-encoding'])

function callMistakes({ method, body, headers, cache, ...part }: PartOptions): OptionMistake[] {
  const mistakes: OptionMistake[] = Object.keys(headers)
    .filter((name) => OWN_FIELDS.has(name))
    .map((name) => ({ path: ['headers', name], message: `"${name}" is the gateway's to write: leave it out` }))
  if (method === 'GET' && body !== undefined) {
    mistakes.push({ path: ['body'], message: 'is never sent: a GET has none; choose another method' })
  }
  if (method === 'GET') return mistakes
  const message = `only what is asked by GET is kept: a ${method} may change something`
  if (cache !== undefined) mistakes.push({ path: ['cache'], message })
  if (part['fallback-to'] !== undefined) mistakes.push({ path: ['fallback-to'], message })
  return mistakes
}

function itemMistakes(part: PartOptions): OptionMistake[] {
  const { batch } = part
  const forEach = part['for-each']
  if (batch && !forEach) return [{ path: ['batch'], message: 'is never used: it needs the list of a "for-each"' }]
  const readings = readingsOf(part)
  const mistakes = readings.flatMap(({ reference: { root, source }, place, path }) => {
    const message = itemMistake(root, place, { isEach: forEach !== undefined, isBatch: batch !== undefined })
    return message === undefined ? [] : [{ path, message: `"${source}" has no value here: ${message}` }]
  })
  if (!forEach || mistakes.length > 0) return mistakes
  const reads = (root: string, inBatch: boolean) =>
    readings.some(({ reference, place }) => reference.root === root && (place === 'batch') === inBatch)
  if (!batch) {
    return reads('item', false) || reads('index', false)
      ? []
      : [{ path: ['for-each'], message: 'every item would make the same call: use "{item}" in it' }]
  }
  return [
    ...(reads('item', true)
      ? []
      : [{ path: ['batch', 'key'], message: 'must read "{item}": every key would be the same' }]),
    ...(reads('keys', false)
      ? []
      : [{ path: ['batch'], message: 'the call does not say which items: use "{keys}" in it' }]),
  ]
}

function itemMistake(
  root: string,
  place: string,
  { isEach, isBatch }: { readonly isEach: boolean; readonly isBatch: boolean },
): string | undefined {
  if (root === 'keys') {
    if (!isBatch) return 'only a call with "batch" has keys'
    return place === 'path' || place === 'query' || place === 'body' ? undefined : 'keys stand in path, query or body'
  }
  if (root === 'composition') return 'the answer is not composed yet'
  if (root !== 'item' && root !== 'index') return undefined
  if (!isEach) return 'only a part with "for-each" has items'
  if (place === 'when' || place === 'for-each') return 'the list is not there yet'
  return isBatch && place !== 'batch' ? 'one call asks for many items; use "{keys}"' : undefined
}
