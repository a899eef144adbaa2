import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPrograms } from '../support/program.ts'
import { until } from '../support/real-time.ts'

/** An operator finds writes that could not be undone, through the gateway and in its file, and decides. */

let folder: string
let service: ReturnType<typeof Bun.serve>
/** What a cancellation is answered with. */
let answersUndo = 422
const undone: string[] = []
const UNDO = '/bookings/{parts.flight.body.id}/by/{query.token}'
const programs = startPrograms(() => folder)

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'compensations-'))
  service = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch(request) {
      const { pathname } = new URL(request.url)
      if (request.method === 'DELETE') {
        if (answersUndo === 204) undone.push(pathname)
        return new Response(null, { status: answersUndo, headers: { 'retry-after': '60' } })
      }
      if (pathname === '/charges') return Response.json({}, { status: 402 })
      return Response.json({ id: 'b-1', card: 'secret' }, { status: 201 })
    },
  })
  const part = { upstream: 'service', method: 'POST', required: true }
  const parts = {
    flight: { ...part, path: '/bookings', compensate: { method: 'DELETE', path: UNDO } },
    payment: { ...part, path: '/charges', after: ['flight'], compensate: 'none' },
  }
  const config = {
    version: 1,
    upstreams: { service: { url: `http://127.0.0.1:${service.port}` } },
    routes: { trips: { path: '/trips', methods: ['POST'], policies: [{ aggregate: { parts } }] } },
  }
  writeFileSync(join(folder, 'gateway.yaml'), JSON.stringify(config))
})
afterEach(() => {
  programs.endAll()
  rmSync(join(folder, '.data'), { recursive: true })
})
afterAll(async () => {
  await service.stop(true)
  rmSync(folder, { recursive: true, force: true })
})

async function say(...words: string[]): Promise<{ code: number; output: string }> {
  const program = programs.run(['compensations', ...words, '--config', 'gateway.yaml'])
  const code = await program.exit()
  await until('its output', () => program.output.length > 0)
  return { code, output: program.output }
}

async function startGateway() {
  const program = programs.run(['start', '--config', 'gateway.yaml', '--port', '0', '--admin-port', '0'])
  const [port, adminPort] = [await program.port(), await program.adminPort()]
  const book = () => fetch(`http://127.0.0.1:${port}/trips?token=secret`, { method: 'POST' })
  return { program, adminPort: String(adminPort), book, admin: `http://127.0.0.1:${adminPort}` }
}

describe('an operator', () => {
  test('finds what could not be undone, sees to it, and has it undone', async () => {
    const { adminPort, admin, book, program } = await startGateway()
    const answer = await book()
    expect(answer.status).toBe(502)
    expect(await answer.json()).toMatchObject({
      writes: [
        { part: 'flight', outcome: 'undoing' },
        { part: 'payment', outcome: 'not-done' },
      ],
    })
    const list = await say('list', '--admin-port', adminPort)
    expect(list.output).toContain('1 parked, 0 undoing, 0 open')
    expect(list.output).toContain('flight:stuck payment:not-done')
    expect(list.output).toContain('flight: the upstream refuses to undo it: status 422')
    const { sagas } = (await (await fetch(`${admin}/_sluice/compensations`)).json()) as { sagas: { id: string }[] }
    const id = sagas[0]?.id ?? ''
    const shown = await say('show', id, '--admin-port', adminPort)
    expect(shown.output).toContain('POST /trips')
    expect(shown.output).toContain('undone by DELETE /bookings/b-1/by/{query.token} at upstream "service"')
    expect(list.output + shown.output + JSON.stringify(sagas)).not.toContain('secret')
    expect(await (await fetch(`${admin}/_sluice/metrics`)).text()).toContain('sluice_compensations_parked 1')
    const ready = (await (await fetch(`${admin}/_sluice/ready`)).json()) as { dependencies: object[] }
    expect(ready.dependencies).toContainEqual({
      name: 'journal',
      required: true,
      ok: true,
      detail: '0 undoing, 1 parked',
    })

    answersUndo = 204
    expect((await say('retry', '--all', '--admin-port', adminPort)).output).toContain('1 put back, 0 brought forward')
    await until('the booking to be cancelled', () => undone.length === 1)
    expect(undone).toEqual(['/bookings/b-1/by/secret'])
    expect((await say('show', id, '--admin-port', adminPort)).code).toBe(1)
    program.child.kill('SIGTERM')
    expect(await program.exit(20_000)).toBe(0)
  }, 60_000)

  test('is told while it is undone what fails, and has it tried at once when that is mended', async () => {
    answersUndo = 500
    const { adminPort, book } = await startGateway()
    await book()
    const list = await say('list', '--admin-port', adminPort)
    expect(list.output).toMatch(
      /payment.* failed: .*; flight is not undone after 1 attempt: status 500; next attempt in (\d\ds|1m|1m 1s)\n/,
    )
    answersUndo = 204
    undone.length = 0
    const retried = await say('retry', '--all', '--admin-port', adminPort)
    expect(retried.output).toContain('0 put back, 1 brought forward\nAll of that is undoing: the gateway tries it now')
    await until('the booking to be cancelled', () => undone.length === 1)
  }, 60_000)

  test('is told that nobody tries while no gateway runs, and has the next one try at once', async () => {
    answersUndo = 500
    const { program, book } = await startGateway()
    await book()
    program.child.kill('SIGKILL')
    await until('its end', () => program.child.exitCode !== null || program.child.signalCode !== null)
    const list = await say('list', '--admin-port', '1')
    expect(list.output).toContain('undoing  is tried again when a gateway runs')
    expect(list.output).toMatch(/flight is not undone after 1 attempt: status 500\n/)
    const { sagas } = JSON.parse((await say('list', '--json', '--admin-port', '1')).output) as {
      sagas: { id: string }[]
    }
    const id = sagas[0]?.id ?? ''
    expect((await say('show', id, '--admin-port', '1')).output).toContain('next attempt   when a gateway runs')
    const retried = await say('retry', id, '--admin-port', '1')
    expect(retried.output).toContain('no gateway was reached; the next one that runs tries it at once')
    answersUndo = 204
    undone.length = 0
    await startGateway()
    await until('the booking to be cancelled', () => undone.length === 1)
  }, 60_000)

  test('finds it in the file when no gateway runs, and leaves it as it is', async () => {
    answersUndo = 422
    const { program, book } = await startGateway()
    await book()
    program.child.kill('SIGKILL')
    await until('its end', () => program.child.exitCode !== null || program.child.signalCode !== null)
    const list = await say('list', '--json', '--admin-port', '1')
    const { counts, sagas } = JSON.parse(list.output) as { counts: object; sagas: { id: string }[] }
    expect(counts).toEqual({ open: 0, undoing: 0, parked: 1 })
    const discarded = await say('discard', sagas[0]?.id ?? '', '--admin-port', '1')
    expect([discarded.code, discarded.output]).toEqual([0, expect.stringContaining('stays as it is')])
    expect((await say('list', '--admin-port', '1')).output).toContain('Nothing of that waits')
  }, 60_000)
})
