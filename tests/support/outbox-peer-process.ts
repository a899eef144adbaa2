/**
 * A process with an outbox, at the command of a test: each line on stdin is a JSON list, the name of a method of the
 * outbox (or `orders`) and its arguments, and is answered by a JSON line on stdout.
 */
import type { Outbox } from '../../gateway/events/outbox.ts'
import { openSqliteOutbox } from '../../gateway/runtimes/bun/sqlite-outbox.ts'
import { commitOrder } from './outbox-conformance.ts'

const [path = '', capacity = '100000'] = process.argv.slice(2)
const outbox = openSqliteOutbox({ path, capacity: Number(capacity) })

/** Commits `count` orders one after another for each of the subjects, all subjects at once; resolves with how many went in. */
async function orders(prefix: string, subjects: readonly string[], count: number): Promise<number> {
  const stored = await Promise.all(
    subjects.map(async (subject) => {
      let done = 0
      for (let i = 0; i < count; i++) {
        await commitOrder(outbox, `${prefix}-${subject}-${i}`, subject).then(
          () => done++,
          () => {},
        )
      }
      return done
    }),
  )
  return stored.reduce((a, b) => a + b, 0)
}

async function obey(line: string): Promise<unknown> {
  const [name, ...args] = JSON.parse(line)
  const method = name === 'orders' ? orders : outbox[name as keyof Outbox]
  return await Reflect.apply(method, outbox, args)
}

process.stdout.write('"open"\n')
for await (const line of console) {
  const answer = await obey(line).catch((error: Error) => ({ error: error.message }))
  process.stdout.write(`${JSON.stringify(answer ?? null)}\n`)
}
