import { z } from 'zod'
import { headerName } from '../../gateway/config/fields.ts'
import { editResponse } from '../../gateway/core/edit-response.ts'
import { definePolicy, type OptionMistake } from '../../gateway/core/policy.ts'
import { BUCKETS, createBuckets } from './bucket.ts'
import { conditions, firstPresent, fits, requestReference } from './rule.ts'
import { layOut, tooSmall, versionAt } from './shares.ts'

const options = z.strictObject({
  subject: z
    .array(requestReference)
    .max(16)
    .default([])
    .describe(
      'Who is to stay with one version: the first of these that is present. Without any, every request is drawn anew',
    ),
  weights: z
    .record(z.string(), z.number().min(0).max(1_000_000))
    .describe(
      'Weight of each version, as a share of their sum, to 0.01 %. The first takes what the others leave; a version not named gets nothing',
    ),
  rules: z
    .array(
      z.strictObject({
        when: conditions.describe('References and the exact value, or list of values, each must have; all must hold'),
        version: z.string().describe('Version these requests get, whatever the weights'),
      }),
    )
    .max(100)
    .default([])
    .describe('Requests that get a certain version; the first rule that fits decides, before the weights'),
  seed: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .describe('Text that shuffles the subjects: another seed, another selection. Default: the name of the upstream'),
  header: headerName.optional().describe('Response header that tells the client the version; none by default'),
})

/** Sends a growing share of the callers to a new version, each caller always to the same one. */
export default definePolicy({
  name: 'gray-release',
  at: 'upstream',
  choosesVersion: true,
  options,

  check({ weights, rules }, { owner, versions }) {
    if (!versions?.length) {
      return [
        { path: [], message: `needs versions to choose from: give ${owner} "versions" instead of a URL or targets` },
      ]
    }
    const named = (version: string, path: (string | number)[]): OptionMistake[] =>
      versions.includes(version)
        ? []
        : [{ path, message: `unknown version "${version}" of ${owner}`, found: version, candidates: versions }]
    return [
      ...Object.keys(weights).flatMap((version) => named(version, ['weights', version])),
      ...rules.flatMap(({ version }, i) => named(version, ['rules', i, 'version'])),
      ...weightMistakes(weights),
    ]
  },

  create({ subject, weights, rules, seed, header }, { random, metrics }, { owner }) {
    const shares = layOut(weights)
    const bucketOf = createBuckets(seed ?? owner)

    return async function grayRelease(call, next) {
      const { scope } = call.exchange
      const rule = rules.find(({ when }) => fits(when, scope))
      const version = rule?.version ?? versionAt(shares, await draw())
      if (version === undefined) throw new TypeError(`No version of ${owner} has any weight`)

      call.record.version = version
      metrics.count('sluice_release_total', { upstream: owner, version })
      const response = await next({ version })
      return header === undefined ? response : editResponse(response, (headers) => headers.set(header, version))

      function draw(): number | Promise<number> {
        const known = firstPresent(subject, scope)
        return known === undefined ? Math.floor(random() * BUCKETS) : bucketOf(known)
      }
    }
  },
})

function weightMistakes(weights: Readonly<Record<string, number>>): readonly OptionMistake[] {
  if (!Object.values(weights).some((weight) => weight > 0)) {
    return [{ path: ['weights'], message: 'no version has any weight: give at least one a number above 0' }]
  }
  return tooSmall(weights).map((version) => ({
    path: ['weights', version],
    message: 'is less than 0.01 % of the sum, the smallest share there is: raise it, or write 0',
  }))
}
