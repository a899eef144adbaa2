import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A certificate with its key, as a server presents them (PEM). */
export interface Identity {
  readonly cert: string
  readonly key: string
}

export interface IdentityOptions {
  /** The names it is for. Default `localhost`. */
  readonly names?: readonly string[]
  /** When its time ends, `YYYYMMDDHHMMSSZ`; a day from now when left out. */
  readonly until?: string
}

/** Issues certificates, made by `openssl`, which is to be installed. */
export interface Authority {
  /** Its own certificate: whoever trusts it, trusts what it issues. */
  readonly file: string
  issue(options?: IdentityOptions): Promise<Identity>
  /** A certificate nobody vouches for but itself. */
  issueSelfSigned(): Promise<Identity>
  close(): Promise<void>
}

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

/** A new one, which nobody trusts yet; its files are gone when it is closed. */
export async function openAuthority(): Promise<Authority> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-authority-'))
  const at = (name: string) => join(folder, name)
  const own = ['-keyout', at('ca.key'), '-out', at('ca.crt'), '-days', '1', '-subj', '/CN=Test authority']
  await openssl(['req', '-x509', ...KEY, ...own])
  // `openssl ca`, which alone can end a certificate in the past, keeps a list of what it has issued.
  await writeFile(at('issued'), '')
  await writeFile(at('serial'), '01\n')
  await writeFile(
    at('ca.cnf'),
    `[ca]\ndatabase = ${at('issued')}\nnew_certs_dir = ${folder}\nserial = ${at('serial')}\n${POLICY}`,
  )
  let issued = 0

  const identity = async (name: string): Promise<Identity> => ({
    cert: await readFile(at(`${name}.crt`), 'utf8'),
    key: await readFile(at(`${name}.key`), 'utf8'),
  })

  return {
    file: at('ca.crt'),

    async issue({ names = ['localhost'], until } = {}) {
      const name = `issued-${issued++}`
      const time = until === undefined ? ['-days', '1'] : ['-startdate', '20200101000000Z', '-enddate', until]
      await writeFile(at(`${name}.ext`), `subjectAltName=${names.map((each) => `DNS:${each}`).join(',')}\n`)
      await openssl([
        'req',
        '-new',
        ...KEY,
        '-keyout',
        at(`${name}.key`),
        '-out',
        at(`${name}.csr`),
        '-subj',
        `/CN=${name}`,
      ])
      await openssl([
        ...['ca', '-batch', '-notext', '-md', 'sha256', '-config', at('ca.cnf'), ...time],
        ...['-cert', at('ca.crt'), '-keyfile', at('ca.key')],
        ...['-in', at(`${name}.csr`), '-out', at(`${name}.crt`), '-extfile', at(`${name}.ext`)],
      ])
      return await identity(name)
    },

    async issueSelfSigned() {
      const name = 'alone'
      const files = ['-keyout', at(`${name}.key`), '-out', at(`${name}.crt`)]
      await openssl(['req', '-x509', ...KEY, ...files, '-days', '1', '-subj', '/CN=localhost', ...SELF_NAMED])
      return await identity(name)
    },

    close: () => rm(folder, { recursive: true, force: true }),
  }
}

const POLICY = 'default_ca = ca\npolicy = any\n[any]\ncommonName = supplied\n'
const SELF_NAMED = ['-addext', 'subjectAltName=DNS:localhost']

async function openssl(parameters: readonly string[]): Promise<void> {
  const child = Bun.spawn(['openssl', ...parameters], { stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' })
  const said = await new Response(child.stderr).text()
  if ((await child.exited) !== 0) throw new Error(`openssl ${parameters[0]}: ${said}`)
}
