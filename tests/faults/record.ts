import { readFileSync, writeFileSync } from 'node:fs'
import { BROKERS, FAULTS } from './catalogue.ts'
import type { RunResult } from './run.ts'

/** `bun tests/faults/record.ts FILE…`: writes what runs have left in their results files into docs/reliability.md. */

const PAGE = 'docs/reliability.md'
const RECORD = 'written by tests/faults/record.ts'
const LIST = 'faults'

/** The record of these runs, as Markdown. */
export function record(results: readonly RunResult[]): string {
  const seeded = results.filter(({ row }) => row === undefined)
  const sum = (read: (result: RunResult) => number) => seeded.reduce((total, result) => total + read(result), 0)
  const failed = seeded.filter(({ anomalies }) => anomalies.length > 0)
  const seeds = seeded.map(({ plan }) => plan.seed)
  const figures = [
    ['seeded runs', seeded.length],
    ['of them with wrong books', failed.length],
    ['seeds', `${Math.min(...seeds)} to ${Math.max(...seeds)}`],
    ['orders stored', sum(({ stored }) => stored)],
    ['faults that came about', sum(({ fired }) => fired.length)],
    ['events the broker delivered more than once, all known by the inboxes', sum(({ repeats }) => repeats)],
    ['entries parked, put back by the operator, and delivered', sum(({ parked }) => parked)],
    [
      'orders their clients gave up on (announced like all others when they were stored)',
      sum(({ givenUp }) => givenUp),
    ],
    ['seconds a run took on average', (sum(({ seconds }) => seconds) / seeded.length).toFixed(1)],
    ...BROKERS.map((broker) => [
      `runs with broker \`${broker}\``,
      seeded.filter(({ plan }) => plan.broker === broker).length,
    ]),
    ['runs with two gateways on one outbox', seeded.filter(({ plan }) => plan.gateways === 2).length],
  ] as const
  const faults = FAULTS.map(({ name }) => {
    const with_ = seeded.filter(({ fired }) => fired.includes(name))
    const alone = with_.filter(({ fired }) => fired.length === 1).length
    const wrong = with_.filter(({ anomalies }) => anomalies.length > 0).length
    return [`\`${name}\``, with_.length, alone, wrong]
  })
  const rows = results.flatMap(({ row, stored, anomalies }) =>
    row === undefined ? [] : [[row, stored, anomalies.length === 0 ? 'right' : anomalies.join('; ')]],
  )
  return [
    table(['', ''], figures),
    table(['fault', 'runs in which it came about', 'alone', 'wrong books'], faults),
    ...(rows.length === 0 ? [] : [table(['case', 'orders', 'books'], rows)]),
  ].join('\n\n')
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** Every fault in a line, for the page. */
export function listFaults(): string {
  return table(
    ['fault', 'what happens', 'brokers'],
    FAULTS.map(({ name, what, brokers }) => [`\`${name}\``, what, brokers.join(', ')]),
  )
}

/** The page with another text between the marks of this name; throws when they are not there. */
function replace(page: string, mark: string, text: string): string {
  const [begin, end] = [`<!-- ${mark}: begin -->`, `<!-- ${mark}: end -->`]
  const [before, rest] = page.split(begin)
  const after = rest?.split(end)[1]
  if (after === undefined) throw new Error(`${PAGE} has no place between "${begin}" and "${end}"`)
  return `${before}${begin}\n\n${text}\n\n${end}${after}`
}

if (import.meta.main) {
  const lines = process.argv.slice(2).flatMap((file) => readFileSync(file, 'utf8').trim().split('\n'))
  const results = lines.map((line) => JSON.parse(line) as RunResult)
  const page = replace(readFileSync(PAGE, 'utf8'), LIST, listFaults())
  writeFileSync(PAGE, results.length === 0 ? page : replace(page, RECORD, record(results)))
}
