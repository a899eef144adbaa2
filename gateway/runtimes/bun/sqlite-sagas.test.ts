import { Database } from 'bun:sqlite'
import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sagaOf, testSagaStorage } from '../../../tests/support/saga-conformance.ts'
import { createVirtualClock } from '../../../tests/support/virtual-clock.ts'
import { LEFT_OPEN, SagaGoneError } from '../../saga/saga-storage.ts'
import { openSqliteSagas } from './sqlite-sagas.ts'

const folder = mkdtempSync(join(tmpdir(), 'sagas-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let files = 0
const newFile = () => join(folder, `journal-${++files}.db`)

testSagaStorage(() => openSqliteSagas({ path: newFile(), capacity: 5 }))

describe('a journal in a file', () => {
  test('is found again, and what was left open is to be undone', async () => {
    const path = newFile()
    const first = openSqliteSagas({ path })
    await first.add(sagaOf('1', {}, 'i'))
    await first.add(sagaOf('2'))
    await first.change('2', (entry) => ({ ...entry, state: 'parked', parkedAtMs: 3 }))
    await first.close()
    const second = openSqliteSagas({ path })
    expect(await second.counts()).toEqual({ open: 0, undoing: 1, parked: 1 })
    const [claimed] = await second.claim(10, 77)
    expect(second.id).toBe(first.id)
    expect(claimed).toEqual(sagaOf('1', { state: 'undoing', reason: LEFT_OPEN, undoingSinceMs: 77 }, 'i'))
    await second.close()
  })

  test('is shared by two processes, each of which has what is its own', async () => {
    const path = newFile()
    const clock = createVirtualClock()
    const [one, two] = [openSqliteSagas({ path, clock }), openSqliteSagas({ path, clock })]
    await one.add(sagaOf('1'))
    await one.change('1', (entry) => ({ ...entry, state: 'undoing' }))
    expect(await two.claim(10, 100)).toEqual([])
    await expect(two.change('1', (entry) => entry)).rejects.toBeInstanceOf(SagaGoneError)
    await one.close()
    expect((await two.claim(10, 100)).map(({ id }) => id)).toEqual(['1'])
    await two.close()
  })

  test('of the first version is given an id, and keeps what it has', async () => {
    const path = newFile()
    const first = openSqliteSagas({ path })
    await first.add(sagaOf('1'))
    await first.close()
    const file = new Database(path)
    file.run('DROP TABLE journal')
    file.run('PRAGMA user_version = 1')
    file.close()
    const second = openSqliteSagas({ path })
    expect(second.id).toMatch(/^[0-9a-f]{32}$/)
    expect(second.id).not.toBe(first.id)
    expect(await second.find('1')).toMatchObject({ id: '1' })
    await second.close()
  })

  test("is not opened when it is another program's, and says so", () => {
    const path = newFile()
    const other = new Database(path)
    other.run('CREATE TABLE theirs (x)')
    other.close()
    expect(() => openSqliteSagas({ path })).toThrow(/Cannot open the journal .*another program.*services\.journal/)
  })
})
