import { beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { type RecordedTelemetry, recordTelemetry } from '../../tests/support/recorded-telemetry.ts'
import { createVirtualClock, type VirtualClock } from '../../tests/support/virtual-clock.ts'
import { fixedKeys, type KeySource, type KeyUser } from './key-source.ts'
import { type StaticKey, staticKey, toKeySet } from './static-keys.ts'
import { AUDIENCE, createTestKey, encode, goodClaims, ISSUER, signRaw, type TestKey } from './test-issuer.ts'
import { createVerifier, type VerifierOptions } from './verifier.ts'

const OPTIONS: VerifierOptions = {
  algorithms: ['ES256'],
  issuers: [ISSUER],
  audiences: [AUDIENCE],
  times: { toleranceMs: 0, maxAgeMs: undefined },
}
const SECRET = 'correct-horse-battery-staple-and-more'
const user: KeyUser = { signal: new AbortController().signal, waitUntil: () => {} }

let good: TestKey
let rsa: TestKey
let attacker: TestKey
let clock: VirtualClock
let telemetry: RecordedTelemetry

beforeAll(async () => {
  good = await createTestKey('ES256', 'good')
  rsa = await createTestKey('RS256', 'rsa')
  attacker = await createTestKey('ES256', 'good')
})

beforeEach(() => {
  clock = createVirtualClock()
  telemetry = recordTelemetry()
})

const publicKey = ({ jwk }: TestKey): StaticKey => staticKey.parse(jwk)
const verifierOf = (keys: readonly StaticKey[], options: Partial<VerifierOptions> = {}) => {
  const all = { ...OPTIONS, ...options }
  return createVerifier(all, fixedKeys(toKeySet(keys, all.algorithms)), { clock, log: telemetry.log })
}

describe('a token with a good signature', () => {
  test('gives its claims', async () => {
    const token = await good.sign(goodClaims(clock.now(), { tier: 'gold' }))
    const { claims, remembered } = await verifierOf([publicKey(good)])(token, user)
    expect({ sub: claims.sub, tier: claims.tier, remembered }).toEqual({
      sub: 'alice',
      tier: 'gold',
      remembered: false,
    })
  })

  test('gives claims nobody can change for the next request', async () => {
    const { claims } = await verifierOf([publicKey(good)])(await good.sign(goodClaims(clock.now())), user)
    expect(Object.isFrozen(claims)).toBe(true)
  })

  const keys = [
    { name: 'is verified with a JWK', key: () => publicKey(good) },
    { name: 'is verified with a JWK that has no id', key: () => ({ ...publicKey(good), kid: undefined }) },
    { name: 'is verified with a PEM', key: () => ({ pem: good.pem }) },
  ]
  test.each(keys)('$name', async ({ key }) => {
    const token = await good.sign(goodClaims(clock.now()))
    const { claims } = await verifierOf([key() as StaticKey])(token, user)
    expect(claims.sub).toBe('alice')
  })

  test('is verified with a shared secret', async () => {
    const token = await signRaw(
      '{"alg":"HS256"}',
      JSON.stringify(goodClaims(clock.now())),
      new TextEncoder().encode(SECRET),
    )
    const { claims } = await verifierOf([{ secret: SECRET }], { algorithms: ['HS256'] })(token, user)
    expect(claims.sub).toBe('alice')
  })

  test('is tried with every key when it names none', async () => {
    const token = await good.sign(goodClaims(clock.now()), { kid: undefined })
    const { claims } = await verifierOf([publicKey(attacker), publicKey(good)])(token, user)
    expect(claims.sub).toBe('alice')
  })

  test('is verified in spite of a key beside it that is none, which the log names once', async () => {
    const broken = { ...publicKey(good), y: publicKey(good).x } as StaticKey
    const verify = verifierOf([broken, publicKey(good)])
    await verify(await good.sign(goodClaims(clock.now())), user)
    await verify(await good.sign(goodClaims(clock.now(), { jti: 'another' })), user)
    expect(telemetry.lines.map(({ message }) => message)).toEqual(['jwt key cannot be used'])
  })
})

describe('a token that was remembered', () => {
  test('is not verified again', async () => {
    const verify = verifierOf([publicKey(good)])
    const token = await good.sign(goodClaims(clock.now()))
    await verify(token, user)
    expect((await verify(token, user)).remembered).toBe(true)
  })

  test('is refused once it has expired', async () => {
    const verify = verifierOf([publicKey(good)])
    const token = await good.sign(goodClaims(clock.now()))
    await verify(token, user)
    await clock.advance(300_000)
    await expect(verify(token, user)).rejects.toMatchObject({ reason: 'expired' })
  })

  test('is refused once its key has left the set', async () => {
    let set = toKeySet([publicKey(good)], OPTIONS.algorithms)
    const source: KeySource = { ready: () => set, keys: async () => set, reconsidered: async () => set }
    const verify = createVerifier(OPTIONS, source, { clock, log: telemetry.log })
    const token = await good.sign(goodClaims(clock.now()))
    await verify(token, user)
    set = toKeySet([{ ...publicKey(good), kid: 'other' } as StaticKey], OPTIONS.algorithms)
    await expect(verify(token, user)).rejects.toMatchObject({ reason: 'signature' })
  })

  test('does not vouch for the same claims under another signature', async () => {
    const verify = verifierOf([publicKey(good)])
    const claims = goodClaims(clock.now())
    await verify(await good.sign(claims), user)
    await expect(verify(await attacker.sign(claims), user)).rejects.toMatchObject({ reason: 'signature' })
  })
})

describe('a token that is forged', () => {
  const swapFirst = (text: string) => `${text.startsWith('A') ? 'B' : 'A'}${text.slice(1)}`
  const forgeries = [
    {
      name: 'is refused when another key signed it',
      forge: (claims: Record<string, unknown>) => attacker.sign(claims),
    },
    {
      name: 'is refused when its own header brings the key',
      forge: (claims: Record<string, unknown>) => attacker.sign(claims, { jwk: attacker.jwk }),
    },
    {
      name: 'is refused when its header says where the key is',
      forge: (claims: Record<string, unknown>) =>
        attacker.sign(claims, { jku: 'https://evil.example/keys', x5u: 'https://evil.example/cert' }),
    },
    {
      name: 'is refused when its payload was changed',
      forge: async (claims: Record<string, unknown>) => {
        const [header, , signature] = (await good.sign(claims)).split('.')
        return `${header}.${encode(JSON.stringify({ ...claims, sub: 'root' }))}.${signature}`
      },
    },
    {
      name: 'is refused when its signature was changed',
      forge: async (claims: Record<string, unknown>) => {
        const [header, payload, signature = ''] = (await good.sign(claims)).split('.')
        return `${header}.${payload}.${swapFirst(signature)}`
      },
    },
    {
      name: 'is refused when it names a key of another type',
      forge: (claims: Record<string, unknown>) => good.sign(claims, { kid: 'rsa' }),
    },
  ]

  test.each(forgeries)('$name', async ({ forge }) => {
    const verify = verifierOf([publicKey(good), publicKey(rsa)], { algorithms: ['ES256', 'RS256'] })
    await expect(verify(await forge(goodClaims(clock.now())), user)).rejects.toMatchObject({ reason: 'signature' })
  })

  const der = (pem: string) => Uint8Array.from(atob(pem.replace(/-----[^-]+-----|\s/g, '')), (c) => c.charCodeAt(0))
  const confusions = [
    { name: 'is refused when the public PEM was its secret', secret: () => new TextEncoder().encode(rsa.pem.trim()) },
    {
      name: 'is refused when the PEM with a line end was',
      secret: () => new TextEncoder().encode(`${rsa.pem.trim()}\n`),
    },
    { name: 'is refused when the DER was', secret: () => der(rsa.pem) },
  ]

  test.each(confusions)('$name', async ({ secret }) => {
    const token = await signRaw('{"alg":"HS256","kid":"rsa"}', JSON.stringify(goodClaims(clock.now())), secret())
    const verify = verifierOf([publicKey(rsa), { pem: rsa.pem }], { algorithms: ['RS256'] })
    await expect(verify(token, user)).rejects.toMatchObject({ reason: 'algorithm' })
  })
})

describe('a token for somebody else', () => {
  const claims = [
    { name: 'is refused without an audience', changed: { aud: undefined } },
    { name: 'is refused for another audience', changed: { aud: 'shop.evil' } },
    { name: 'is refused for part of the audience', changed: { aud: 'sho' } },
    { name: 'is refused for a list without the audience', changed: { aud: ['other', 'Shop'] } },
    { name: 'is refused for an audience that is no text', changed: { aud: { shop: true } } },
    { name: 'is refused without an issuer', changed: { iss: undefined } },
    { name: 'is refused from an issuer with a slash more', changed: { iss: `${ISSUER}/` } },
    { name: 'is refused from an issuer in another case', changed: { iss: ISSUER.toUpperCase() } },
    { name: 'is refused from a list of issuers', changed: { iss: [ISSUER] } },
    { name: 'is refused without exp', changed: { exp: undefined } },
  ]

  test.each(claims)('$name', async ({ changed }) => {
    const token = await good.sign(goodClaims(clock.now(), changed))
    await expect(verifierOf([publicKey(good)])(token, user)).rejects.toMatchObject({ reason: 'claims' })
  })

  test('is accepted when its list of audiences holds ours', async () => {
    const token = await good.sign(goodClaims(clock.now(), { aud: ['other', AUDIENCE] }))
    expect((await verifierOf([publicKey(good)])(token, user)).claims.sub).toBe('alice')
  })

  test('is accepted for anyone where the audience does not matter', async () => {
    const token = await good.sign(goodClaims(clock.now(), { aud: undefined }))
    expect((await verifierOf([publicKey(good)], { audiences: undefined })(token, user)).claims.sub).toBe('alice')
  })

  const payloads = [
    { name: 'is refused when its payload is a nested token', payload: 'eyJhbGciOiJub25lIn0.e30.' },
    { name: 'is refused when its payload is a list', payload: '[]' },
    { name: 'is refused when its payload is empty', payload: '' },
    {
      name: 'is refused when exp is infinite',
      payload: `{"iss":"${ISSUER}","aud":"${AUDIENCE}","sub":"a","exp":1e400}`,
    },
  ]

  test.each(payloads)('$name', async ({ payload }) => {
    const token = await signRaw('{"alg":"HS256"}', payload, new TextEncoder().encode(SECRET))
    const verify = verifierOf([{ secret: SECRET }], { algorithms: ['HS256'] })
    await expect(verify(token, user)).rejects.toMatchObject({ reason: 'claims' })
  })
})
