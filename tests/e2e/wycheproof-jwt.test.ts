import { describe, expect, test } from 'bun:test'
import { readFile } from 'node:fs/promises'
import process from 'node:process'
import jwt from '../../policies/jwt/index.ts'
import { createTestGateway } from '../support/gateway.ts'

/** C2SP Wycheproof, `json_web_signature_test.json`: signatures good and forged, sent through the `jwt` policy. */

interface Vector {
  readonly tcId: number
  readonly comment: string
  readonly jws: string
  readonly result: 'valid' | 'invalid' | 'acceptable'
}

type Key = Readonly<Record<string, unknown>> & { readonly kty: string }

interface Group {
  readonly comment: string
  readonly public?: Key
  readonly private: Key
  readonly tests: readonly Vector[]
}

const folder = process.env.TEST_VECTORS
const JWKS_URL = 'https://issuer.example/keys'

/** The public key, or the secret where one key does both. */
const keyOf = (group: Group): Key => group.public ?? group.private

const USUAL: Readonly<Record<string, readonly string[]>> = { RSA: ['RS256', 'PS384'], EC: ['ES256'], oct: ['HS256'] }

/**
 * The key as a configuration would hold it. The groups from RFC 7520 name algorithms that the figures do not use (one
 * does not exist, "ES521"), so for these the algorithms come from the RFC.
 */
function mountable(group: Group): { readonly key: Key; readonly algorithms: readonly string[] } {
  const { alg, ...rest } = keyOf(group)
  const kept = Object.entries(rest).filter(([name]) =>
    ['kty', 'kid', 'crv', 'x', 'y', 'n', 'e', 'k', 'use', 'key_ops'].includes(name),
  )
  const key = { ...Object.fromEntries(kept), kty: rest.kty }
  if (group.comment.startsWith('rfc7520')) {
    return { key, algorithms: rest.crv === 'P-521' ? ['ES512'] : (USUAL[rest.kty] ?? []) }
  }
  return typeof alg === 'string'
    ? { key: { ...key, alg }, algorithms: [alg] }
    : { key, algorithms: USUAL[rest.kty] ?? [] }
}

/** Public keys are published by an issuer; secrets stand in the configuration. */
function gatewayFor({ key, algorithms }: ReturnType<typeof mountable>) {
  const source = key.kty === 'oct' ? { keys: [key] } : { jwks: JWKS_URL }
  return createTestGateway({
    register: [jwt],
    policies: [{ jwt: { ...source, algorithms, issuer: 'https://issuer.example', audience: 'any' } }],
    services: { fetch: async () => Response.json({ keys: [key] }) },
  })
}

/** Sends every vector of a group; what the gateway decided, by vector. */
async function decide(group: Group) {
  const gateway = await gatewayFor(mountable(group))
  const decisions: (Vector & { readonly status: number; readonly reason: string })[] = []
  for (const vector of group.tests) {
    const { status } = await gateway.fetch('/x/1', { headers: { authorization: `Bearer ${vector.jws}` } })
    const { policies } = gateway.records.at(-1) as {
      readonly policies?: { readonly jwt?: { readonly reason?: string } }
    }
    decisions.push({ ...vector, status, reason: policies?.jwt?.reason ?? 'none' })
  }
  expect(gateway.upstreamRequests).toHaveLength(0)
  return decisions
}

/** Reasons that are given only after the signature was found good: the payloads are no claims for this gateway. */
const AFTER_SIGNATURE = new Set(['claims', 'expired', 'not-yet-valid'])

/** Called valid although characters outside the alphabet stand in the text; RFC 7515 §2 has no room for these. */
const NOT_BASE64URL = new Set([372, 373])

if (folder) {
  const { testGroups, numberOfTests } = JSON.parse(
    await readFile(`${folder}/wycheproof/json_web_signature_test.json`, 'utf8'),
  ) as { readonly testGroups: readonly Group[]; readonly numberOfTests: number }

  describe('Wycheproof signatures through the jwt policy', () => {
    const groups = testGroups.map((group, i) => ({
      name: `group ${i + 1} (${group.comment}, ${group.tests.length})`,
      group,
    }))

    test('are all sent', () => {
      expect(testGroups.reduce((sum, { tests }) => sum + tests.length, 0)).toBe(numberOfTests)
    })

    test.each(groups)('are judged rightly: $name', async ({ group }) => {
      const decisions = await decide(group)
      expect(decisions.filter(({ status }) => status !== 401)).toEqual([])
      // The vectors about padding have lost it in this form and are the very text of a valid one.
      const valid = new Set(group.tests.filter(({ result }) => result === 'valid').map(({ jws }) => jws))
      const forged = decisions.filter(({ jws }) => !valid.has(jws))
      expect(forged.filter(({ reason }) => AFTER_SIGNATURE.has(reason))).toEqual([])
      const good = decisions.filter(({ result, tcId }) => result === 'valid' && !NOT_BASE64URL.has(tcId))
      expect(good.filter(({ reason }) => !AFTER_SIGNATURE.has(reason))).toEqual([])
    })
  })
} else {
  test('Wycheproof signatures need the folder of test vectors, which CI must name', () => {
    expect(process.env.CI, 'TEST_VECTORS is not set').not.toBe('true')
    process.stderr.write('LEFT OUT: the Wycheproof signatures; set TEST_VECTORS to a folder that holds wycheproof/\n')
  })
}
