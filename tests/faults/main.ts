import { mkdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type Job, runCampaign } from './campaign.ts'
import { BROKERS, type BrokerKind, FAULTS, faultNamed } from './catalogue.ts'
import { whyNoMount } from './full-disk.ts'
import { describePlan, planRun } from './plan.ts'
import { findRabbitMq } from './rabbitmq-node.ts'
import { rowsAt, type Scale } from './rows.ts'
import type { RunResult } from './run.ts'

/** `npm run test:faults`: seeded runs of the shop under faults, each checked against everybody's books. */

const USAGE = `npm run test:faults -- [--seed N] [--runs N] [--minutes M] [--broker ${BROKERS.join('|')}] [--only FAULT]
                         [--orders N] [--parallel N] [--results FILE] [--rows bounded|full|none] [--row NAME]
                         [--bounded] [--list]`

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    runs: { type: 'string' },
    minutes: { type: 'string' },
    broker: { type: 'string' },
    only: { type: 'string' },
    orders: { type: 'string' },
    parallel: { type: 'string' },
    results: { type: 'string' },
    rows: { type: 'string' },
    row: { type: 'string' },
    bounded: { type: 'boolean' },
    list: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  },
})

const PLACE = '.faults'
const DEFAULT_RUNS = 40
const BOUNDED_RUNS = 6

async function main(): Promise<number> {
  if (values.help) {
    console.log(USAGE)
    return 0
  }
  if (values.list) {
    for (const { name, what, brokers } of FAULTS) console.log(`${name.padEnd(42)} ${what} (${brokers.join(', ')})`)
    return 0
  }
  if (values.only !== undefined) faultNamed(values.only)
  mkdirSync(PLACE, { recursive: true })
  const missing: string[] = []
  const brokers = possibleBrokers(missing)
  const without = impossibleFaults(missing)
  const rows: Job[] = rowsToRun(brokers, without)
  const first = number('seed') ?? (values.bounded ? 1 : Math.floor(Math.random() * 1e9))
  const minutes = number('minutes')
  const runs = number('runs') ?? usualRuns(minutes)
  const until = performance.now() + (minutes ?? Number.POSITIVE_INFINITY) * 60_000
  const wishes = { brokers, without, only: values.only, orders: number('orders') }
  for (const one of missing) console.log(`NOT RUN: ${one}`)

  let begun = 0
  const results = await runCampaign({
    next: (): Job | undefined => {
      const row = rows.shift()
      if (row) return row
      return begun < runs && performance.now() < until ? { plan: planRun(first + begun++, wishes) } : undefined
    },
    parallel: number('parallel') ?? (rows.length + runs === 1 ? 1 : 2),
    place: PLACE,
    results: values.results,
    onResult: report,
  })
  const failed = results.filter(({ anomalies }) => anomalies.length > 0)
  const total = (read: (result: RunResult) => number) => results.reduce((sum, result) => sum + read(result), 0)
  console.log(
    `${results.length - failed.length} passed, ${failed.length} failed, ${missing.length} left out; ` +
      `${total(({ stored }) => stored)} orders stored, ${total(({ fired }) => fired.length)} faults`,
  )
  for (const result of failed) console.log(`FAILED: repeat with ${repeat(result)}`)
  return failed.length === 0 ? 0 : 1
}

function usualRuns(minutes: number | undefined): number {
  if (values.bounded) return BOUNDED_RUNS
  if (minutes !== undefined) return Number.POSITIVE_INFINITY
  return values.seed === undefined ? DEFAULT_RUNS : 1
}

/** The rows come first, unless a seed or a fault is asked for; one that is named comes alone. */
function rowsToRun(brokers: readonly BrokerKind[], without: ReadonlySet<string>): Job[] {
  const isOther = values.seed !== undefined || values.only !== undefined || values.runs !== undefined
  const isNamed = values.row !== undefined
  const scale = values.rows ?? (values.bounded ? 'bounded' : isOther && !isNamed ? 'none' : 'full')
  if (scale === 'none') return []
  if (scale !== 'bounded' && scale !== 'full') throw new Error(`--rows takes bounded, full or none, not "${scale}"`)
  const all = rowsAt(scale satisfies Scale, brokers, without)
  const rows = all.filter(({ name }) => values.row === undefined || name === values.row)
  if (rows.length === 0)
    throw new Error(`There is no row "${values.row}": take ${[...new Set(all.map(({ name }) => name))].join(', ')}`)
  return rows.map(({ name, what, ...job }) => ({ ...job, row: `${name}: ${what}` }))
}

function possibleBrokers(missing: string[]): readonly BrokerKind[] {
  const wanted = BROKERS.filter((kind) => values.broker === undefined || values.broker === kind)
  if (wanted.length === 0) throw new Error(`There is no broker "${values.broker}"; there are: ${BROKERS.join(', ')}`)
  if (findRabbitMq() !== undefined || !wanted.includes('rabbitmq')) return wanted
  missing.push('runs on RabbitMQ, which is not installed on this machine')
  return wanted.filter((kind) => kind !== 'rabbitmq')
}

function impossibleFaults(missing: string[]): ReadonlySet<string> {
  const why = whyNoMount()
  if (why === undefined) return new Set()
  missing.push(`a full disk: ${why}`)
  return new Set(FAULTS.filter(({ needsRoot }) => needsRoot).map(({ name }) => name))
}

function number(name: 'seed' | 'runs' | 'minutes' | 'orders' | 'parallel'): number | undefined {
  const text = values[name]
  if (text === undefined) return undefined
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text)
  throw new Error(`--${name} takes a number, not "${text}"`)
}

function report(result: RunResult): void {
  const { row, plan, fired, anomalies, seconds, stored, repeats, parked, givenUp, folder } = result
  const missed = plan.faults.length - fired.length
  const facts = [
    `${stored} orders`,
    ...(givenUp > 0 ? [`${givenUp} given up by their clients`] : []),
    ...(repeats > 0 ? [`${repeats} repeats`] : []),
    ...(parked > 0 ? [`${parked} parked`] : []),
    ...(missed > 0 ? [`${missed} faults did not come about`] : []),
  ]
  const verdict = anomalies.length === 0 ? 'ok  ' : 'FAIL'
  console.log(`${verdict} ${row ?? describePlan(plan)} (${facts.join(', ')}; ${seconds.toFixed(1)} s)`)
  for (const anomaly of anomalies.slice(0, 10)) console.log(`       ${anomaly}`)
  if (anomalies.length > 10) console.log(`       and ${anomalies.length - 10} more`)
  if (anomalies.length > 0)
    console.log(`     again: ${repeat(result)}${folder ? `; logs and databases: ${folder}` : ''}`)
}

function repeat({ row, plan: { seed, broker } }: RunResult): string {
  if (row !== undefined) {
    const [name] = row.split(':')
    return `npm run test:faults -- --row ${name} --rows ${values.bounded ? 'bounded' : 'full'} --runs 0`
  }
  const wishes = [values.only && `--only ${values.only}`, values.orders && `--orders ${values.orders}`]
  return ['npm run test:faults --', `--seed ${seed}`, `--broker ${broker}`, ...wishes.filter(Boolean)].join(' ')
}

// What runs beside this process ends with it; see the listeners of `exit`.
process.on('SIGINT', () => process.exit(130))
process.on('SIGTERM', () => process.exit(143))
try {
  process.exit(await main())
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exit(2)
}
