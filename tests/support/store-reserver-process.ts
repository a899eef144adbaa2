/** Run by the test of the SQLite store: reserves keys in a file other processes use too, and says on stdout which it got. */
import { openSqliteStore } from '../../gateway/runtimes/bun/sqlite-store.ts'
import { systemClock } from '../../gateway/runtimes/bun/system-clock.ts'

const [path = '', keys = ''] = process.argv.slice(2)
const store = openSqliteStore({ path, clock: systemClock })
const token = crypto.randomUUID()
const won: string[] = []
for (const key of keys.split(',')) {
  const present = await store.putIfAbsent(key, token, { ttlMs: 60_000, account: 'caller' })
  if (present === undefined) won.push(key)
}
store.close()
process.stdout.write(JSON.stringify({ token, won }))
