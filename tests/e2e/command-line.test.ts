import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPrograms } from '../support/program.ts'
import { type RawUpstream, rawRequest, rawUpstream } from '../support/raw-http.ts'
import { until } from '../support/real-time.ts'
import { OK, simpleConfig } from './scene.ts'

/** The program itself, as a process: what it says, how it ends. */

let folder: string
let upstream: RawUpstream
const finish = Promise.withResolvers<void>()

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-cli-'))
  upstream = await rawUpstream(({ requestLine }) =>
    requestLine.includes('/slow')
      ? [{ waitFor: finish.promise }, OK]
      : requestLine.includes('/stream')
        ? [
            'HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
            { waitFor: finish.promise },
            '6\r\n world\r\n0\r\n\r\n',
          ]
        : [OK],
  )
})
afterAll(async () => {
  await upstream.close()
  await rm(folder, { recursive: true, force: true })
})

const { run, endAll } = startPrograms(() => folder)
afterEach(endAll)

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, text)
  return path
}

const goodFile = () => file('good.yaml', JSON.stringify(simpleConfig(upstream.url, { server: { grace: '5s' } })))
const start = (config: string, ...more: readonly string[]) =>
  run(['start', '--config', config, '--port', '0', '--admin-port', '0', ...more])

/** A process needs seconds to start on a busy machine. */
function processTest(name: string, run: () => Promise<void>) {
  test(name, run, 30_000)
}

describe('start', () => {
  processTest('prints every mistake of a file with its place, serves nothing and exits with 1', async () => {
    const path = await file(
      'broken.yaml',
      [
        'version: 1',
        'upstreams:',
        '  main: { url: "http://127.0.0.1:1", concurency: 5 }',
        'routes:',
        '  all: { path: "/*", upstream: man, timeot: 1s }',
        '  odd: { path: "x", upstream: main }',
        '',
      ].join('\n'),
    )
    const program = start(path)
    expect(await program.exit()).toBe(1)
    expect(program.output).toContain(`${path}:3:`)
    expect(program.output).toContain('concurency')
    expect(program.output).toContain(`${path}:5:`)
    expect(program.output).toContain('timeot')
    expect(program.output).toContain(`${path}:6:`)
    expect(program.output).toMatch(/[3-9] mistakes: nothing is served/)
    expect(program.output).not.toContain('serving')
  })

  processTest('prints what is no mistake and may not be meant, and exits with 0', async () => {
    const path = join(folder, 'noticed.yaml')
    const queue = { exchange: 'shop.events', bind: ['order.placed'] }
    const publish = { type: 'order.palced', exchange: 'shop.events' }
    const config = {
      version: 1,
      topology: { exchanges: ['shop.events'], queues: { 'warehouse.orders': queue } },
      upstreams: { main: { url: 'http://127.0.0.1:1' } },
      routes: { all: { path: '/*', upstream: 'main', policies: [{ publish }] } },
    }
    await writeFile(path, JSON.stringify(config))
    const program = run(['check', path])
    expect(await program.exit()).toBe(0)
    expect(program.output).toContain('did you mean "order.placed"? (no mistake: only a notice)')
    expect(program.output).toContain(`${path} is right: 1 route, 1 upstream`)
  })

  processTest('says that a file is missing and exits with 1', async () => {
    const program = start(join(folder, 'nowhere.yaml'))
    expect(await program.exit()).toBe(1)
    expect(program.output).toContain('nowhere.yaml')
    expect(program.output).toContain('there is no such file')
    expect(program.output).not.toContain('    at ')
  })

  processTest('says that a folder is no file and exits with 1', async () => {
    const program = start(folder)
    expect(await program.exit()).toBe(1)
    expect(program.output).toContain('cannot be read')
  })

  for (const [option, key] of [
    ['--port', 'server.port'],
    ['--admin-port', 'server.admin.port'],
  ] as const) {
    processTest(`says that a port is in use and how to take another, and exits with 1: ${option}`, async () => {
      const taken = createServer()
      await new Promise<void>((listening) => taken.listen(0, '127.0.0.1', listening))
      const { port } = taken.address() as { port: number }
      const path = await goodFile()
      const program = run(['start', '--config', path, '--port', '0', '--admin-port', '0', option, String(port)])
      expect(await program.exit()).toBe(1)
      expect(program.output).toContain(`127.0.0.1:${port}`)
      expect(program.output).toContain('in use')
      expect(program.output).toContain(key)
      expect(program.output).toContain(option)
      expect(program.output).not.toContain('    at ')
      await new Promise((closed) => taken.close(closed))
    })
  }

  for (const parameters of [
    ['start', '--port', 'x'],
    ['start', '--port', '70000'],
    ['dance'],
    ['start', '--no-such-option'],
  ]) {
    processTest(`refuses what it does not know in one line: ${parameters.join(' ')}`, async () => {
      const program = run(parameters)
      expect(await program.exit()).toBe(1)
      expect(program.output).not.toContain('    at ')
      expect(program.output.trim().split('\n').length).toBeLessThanOrEqual(3)
    })
  }
})

describe('check', () => {
  processTest('says that a file is right and exits with 0', async () => {
    const program = run(['check', await goodFile()])
    expect(await program.exit()).toBe(0)
    expect(program.output).toContain('is right: 1 route, 1 upstream')
  })

  processTest('exits with 1 for a file that is not', async () => {
    const program = run(['check', await file('empty.yaml', '')])
    expect(await program.exit()).toBe(1)
    expect(program.output).toContain('1 mistake')
  })
})

processTest('SIGTERM lets requests in flight finish, refuses new ones, and exits with 0', async () => {
  const program = start(await goodFile())
  const port = await program.port()
  expect((await rawRequest(port, 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n'))[0]?.status).toBe(200)
  const slow = Promise.all(
    ['/slow', '/slow', '/stream'].map((path) =>
      rawRequest(port, `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`, { timeoutMs: 10_000 }),
    ),
  )
  await until(
    'three requests in flight',
    () => upstream.requests.filter(({ requestLine }) => /slow|stream/.test(requestLine)).length === 3,
  )
  program.child.kill('SIGTERM')
  await until('new connections refused', async () => {
    try {
      return (await rawRequest(port, 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n', { timeoutMs: 1_000 })).length === 0
    } catch {
      return true
    }
  })
  expect(program.child.exitCode).toBeNull()
  finish.resolve()
  const replies = (await slow).map(([reply]) => reply)
  expect(replies.map((reply) => [reply?.status, reply?.complete, reply?.text()])).toEqual([
    [200, true, 'ok'],
    [200, true, 'ok'],
    [200, true, 'hello world'],
  ])
  expect(await program.exit(5_000)).toBe(0)
  expect(program.output).toContain('"stopped"')
})

processTest('a reply that breaks off shows its query neither in the log nor on standard error', async () => {
  const broken = await rawUpstream(['HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\npartial', { waitMs: 20 }, 'reset'])
  const program = start(await file('broken-off.yaml', JSON.stringify(simpleConfig(broken.url))))
  const port = await program.port()
  for (let i = 0; i < 5; i++) {
    const [reply] = await rawRequest(port, 'GET /x?token=hunter2 HTTP/1.1\r\nHost: a\r\n\r\n')
    expect([reply?.status, reply?.complete]).toEqual([200, false])
  }
  program.child.kill('SIGTERM')
  expect(await program.exit()).toBe(0)
  expect(program.output).toContain('"stopped"')
  expect(program.output).not.toContain('hunter2')
  await broken.close()
})

for (const { name, signal } of [
  { name: 'one Ctrl-C, which npm and the terminal both pass on,', signal: 'SIGINT' },
  { name: 'one SIGTERM, which npm and systemd both pass on,', signal: 'SIGTERM' },
] as const) {
  processTest(`${name} lets requests in flight finish`, async () => {
    const finishSlow = Promise.withResolvers<void>()
    const slow = await rawUpstream([{ waitFor: finishSlow.promise }, OK])
    const program = start(await file('interrupt.yaml', JSON.stringify(simpleConfig(slow.url))))
    const port = await program.port()
    const request = rawRequest(port, 'GET /slow HTTP/1.1\r\nHost: a\r\n\r\n', { timeoutMs: 10_000 })
    await until('the request in flight', () => slow.requests.length === 1)
    program.child.kill(signal)
    await until('the stop to begin', () => program.output.includes('"stopping"'))
    program.child.kill(signal)
    finishSlow.resolve()
    expect((await request)[0]?.status).toBe(200)
    expect(await program.exit(5_000)).toBe(0)
    await slow.close()
  })
}

processTest('another SIGTERM, a second after the first, ends it at once', async () => {
  const hanging = await rawUpstream(['hang'])
  const program = start(await file('hang.yaml', JSON.stringify(simpleConfig(hanging.url))))
  const port = await program.port()
  const request = rawRequest(port, 'GET /hang HTTP/1.1\r\nHost: a\r\n\r\n', { timeoutMs: 10_000 })
  await until('the request in flight', () => hanging.requests.length === 1)
  program.child.kill('SIGTERM')
  await until('the stop to begin', async () => {
    try {
      await rawRequest(port, 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n', { timeoutMs: 200 })
      return false
    } catch {
      return true
    }
  })
  await until('the end', () => {
    program.child.kill('SIGTERM')
    return program.child.exitCode !== null
  })
  expect(program.child.exitCode).toBe(1)
  await request
  await hanging.close()
})
