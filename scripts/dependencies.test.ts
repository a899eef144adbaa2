import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What is installed is what was tested, and nothing older than the last advisory that concerns us. */

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly integrity?: string }>>
}

const read = <Content>(name: string) => JSON.parse(readFileSync(join(import.meta.dir, '..', name), 'utf8')) as Content
const { dependencies, devDependencies } = read<Manifest>('package.json')
const { packages } = read<Lock>('package-lock.json')

/** Older ones have published advisories. The last three are there only as dependencies of development tools, if at all. */
const OLDEST: Readonly<Record<string, string>> = {
  hono: '4.13.11',
  jose: '4.15.5',
  '@hono/node-server': '2.1.3',
  undici: '7.18.2',
  ws: '8.17.1',
}

/** Every version of a package in the lock, however deep. */
function installed(name: string): string[] {
  const path = `node_modules/${name}`
  return Object.entries(packages)
    .filter(([at]) => at === path || at.endsWith(`/${path}`))
    .flatMap(([, { version }]) => (version === undefined ? [] : [version]))
}

function isOlder(version: string, than: string): boolean {
  return Bun.semver.order(version, than) < 0
}

describe('dependencies (OPS-08)', () => {
  test('are named by one exact version each, which the lock has too', () => {
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
      expect(version, name).toMatch(/^\d+\.\d+\.\d+$/)
      expect(packages[`node_modules/${name}`]?.version, name).toBe(version)
    }
  })

  test('are locked by what is in them', () => {
    const remote = Object.entries(packages).filter(([at]) => at !== '')
    expect(remote.length).toBeGreaterThan(100)
    expect(remote.filter(([, { integrity }]) => !integrity?.startsWith('sha512-')).map(([at]) => at)).toEqual([])
  })

  test.each(Object.entries(OLDEST).map(([name, oldest]) => ({ name, oldest })))(
    'hold no $name older than $oldest',
    ({ name, oldest }) => {
      const versions = installed(name)
      if (name in dependencies) expect(versions).not.toEqual([])
      expect(versions.filter((version) => isOlder(version, oldest))).toEqual([])
    },
  )

  test('have a line each in docs/decisions/008-dependencies.md', () => {
    const page = readFileSync(join(import.meta.dir, '../docs/decisions/008-dependencies.md'), 'utf8')
    const names = Object.keys({ ...dependencies, ...devDependencies })
    expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([])
  })

  test('take no server for Node beside the gateway: nothing of it is shipped', () => {
    for (const name of ['@hono/node-server', 'undici', 'ws']) expect(Object.keys(dependencies)).not.toContain(name)
  })
})
