import { afterAll, beforeAll } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { testKnownWounds } from '../../../tests/support/known-wounds.ts'
import { testSeveralRelays } from '../../../tests/support/several-relays.ts'
import type { Clock } from '../../core/clock.ts'
import { openSqliteOutbox } from './sqlite-outbox.ts'

let directory = ''
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-wounds-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

function createOpener() {
  const path = join(directory, `${crypto.randomUUID()}.db`)
  return (clock: Clock) => openSqliteOutbox({ path, clock })
}

testKnownWounds('the SQLite outbox', createOpener)
testSeveralRelays('the SQLite outbox', createOpener)
