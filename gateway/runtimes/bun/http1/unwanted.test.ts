import { afterEach, expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { systemClock } from '../system-clock.ts'
import { ConnectionPools } from './pools.ts'
import { createCall } from './test-call.ts'

const LISTENER = `
  const server = require('node:net').createServer()
  server.listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => console.log(server.address().port))`

const pools = new ConnectionPools(systemClock)
afterEach(() => pools.close())

const openFiles = () => readdirSync('/proc/self/fd').length

// Connections to such an address neither come about nor fail for minutes, and Bun cannot be told to stop them.
test('calls given up one after the other to an address where packets vanish take up 256 sockets, not more', async () => {
  const listener = Bun.spawn([process.execPath, '-e', LISTENER], { stdout: 'pipe' })
  const { value } = await listener.stdout.getReader().read()
  const origin = `http://127.0.0.1:${Number(new TextDecoder().decode(value))}`
  listener.kill('SIGSTOP')
  const before = openFiles()
  for (let i = 0; i < 1_000; i++) {
    const abort = new AbortController()
    const { call, reply } = createCall({ signal: abort.signal })
    pools.to(origin).send(call)
    abort.abort(new Error('too late'))
    await reply.catch(() => {})
  }
  const taken = openFiles() - before
  listener.kill('SIGKILL')
  await listener.exited
  expect(taken).toBeGreaterThan(200)
  expect(taken).toBeLessThanOrEqual(258)
})
