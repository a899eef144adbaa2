import { spawn } from 'node:child_process'
import { failedTests } from './failed-tests.ts'
import { findRabbitMq, findRedis, type RealService } from './real-services.ts'

/** `npm test`: the checks, then every suite on every runtime, against real servers. Says plainly what it could not run. */

interface Step {
  readonly name: string
  readonly command: readonly string[]
  /** Reads how many tests passed, failed and were left out from what the runner printed. */
  readonly count?: (output: string) => Tally
}

interface Tally {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

const CHECKS: readonly Step[] = [
  { name: 'types', command: ['tsc', '-p', 'tsconfig.json'] },
  { name: 'types without any runtime', command: ['tsc', '-p', 'tsconfig.portable.json'] },
  { name: 'format and lint', command: ['biome', 'ci', '--error-on-warnings', '.'] },
  { name: 'import directions', command: ['bun', 'scripts/check-boundaries.ts'] },
  { name: 'sizes', command: ['bun', 'scripts/check-sizes.ts'] },
  { name: 'links', command: ['bun', 'scripts/check-links.ts'] },
  { name: 'generated files', command: ['bun', 'scripts/generate.ts', '--check'] },
]

const SUITES: readonly Step[] = [
  { name: 'Bun', command: ['bun', 'test', '--timeout', '30000'], count: countBun },
  { name: 'Node', command: ['vitest', 'run', '--project', 'node'], count: countVitest },
  { name: 'workerd', command: ['vitest', 'run', '--project', 'workerd'], count: countVitest },
  { name: 'faults', command: ['bun', 'tests/faults/main.ts', '--bounded'], count: countFaults },
]

function countBun(output: string): Tally {
  const read = (word: string) => Number(new RegExp(`^\\s*(\\d+) ${word}$`, 'm').exec(output)?.[1] ?? 0)
  return { passed: read('pass'), failed: read('fail'), skipped: read('skip') }
}

function countVitest(output: string): Tally {
  const line = /^\s*Tests\s+(.*)$/m.exec(output)?.[1] ?? ''
  const read = (word: string) => Number(new RegExp(`(\\d+) ${word}`).exec(line)?.[1] ?? 0)
  return { passed: read('passed'), failed: read('failed'), skipped: read('skipped') }
}

function countFaults(output: string): Tally {
  const [, passed, failed, skipped] = /^(\d+) passed, (\d+) failed, (\d+) left out/m.exec(output) ?? []
  return { passed: Number(passed ?? 0), failed: Number(failed ?? 0), skipped: Number(skipped ?? 0) }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: terminal colours
const COLOURS = /\u001b\[[0-9;]*m/g

function run({ name, command }: Step, environment: NodeJS.ProcessEnv): Promise<{ code: number; output: string }> {
  console.log(`\n── ${name}: ${command.join(' ')}`)
  const [program = '', ...parameters] = command
  return new Promise((resolve, reject) => {
    const child = spawn(program, parameters, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const take = (to: NodeJS.WriteStream) => (chunk: Buffer) => {
      to.write(chunk)
      output += chunk.toString()
    }
    child.stdout.on('data', take(process.stdout))
    child.stderr.on('data', take(process.stderr))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code: code ?? 1, output: output.replace(COLOURS, '') }))
  })
}

async function main(): Promise<number> {
  const isCi = process.env.CI === 'true'
  const failures: string[] = []
  const details: string[] = []
  const missing: string[] = []
  for (const step of CHECKS) if ((await run(step, process.env)).code !== 0) failures.push(step.name)

  console.log('\n── real servers')
  const environment: NodeJS.ProcessEnv = { ...process.env }
  const services: RealService[] = []
  for (const [variable, find] of [
    ['REDIS_TEST_URL', findRedis],
    ['AMQP_TEST_URL', findRabbitMq],
  ] as const) {
    const found = await find()
    if ('missing' in found) {
      missing.push(found.missing)
      continue
    }
    console.log(`  ${variable}=${found.url} (${found.how})`)
    Object.assign(environment, { [variable]: found.url }, found.environment)
    services.push(found)
  }
  if (!process.env.TEST_VECTORS)
    missing.push('TEST_VECTORS names no folder of public test vectors: their tests are left out')

  const total = { passed: 0, failed: 0, skipped: 0 }
  try {
    for (const step of SUITES) {
      const { code, output } = await run(step, environment)
      const tally = step.count?.(output) ?? { passed: 0, failed: 0, skipped: 0 }
      total.passed += tally.passed
      total.failed += tally.failed
      total.skipped += tally.skipped
      if (code === 0 && tally.passed > 0) continue
      const failed = failedTests(output)
      details.push(...failed)
      failures.push(`suite on ${step.name}`, ...failed.map((one) => one.split('\n', 1)[0] ?? ''))
    }
  } finally {
    for (const service of services) await service.stop()
  }

  console.log('\n── result')
  for (const one of details) console.log(`${one}\n`)
  for (const one of missing) console.log(`  NOT RUN: ${one}`)
  if (isCi && (missing.length > 0 || total.skipped > 0)) failures.push('in CI nothing may be left out')
  for (const one of failures) console.log(`  FAILED: ${one}`)
  console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
  return failures.length > 0 ? 1 : 0
}

process.exit(await main())
