import { cpus, release } from 'node:os'

const TOOLS = [
  { name: 'nginx', from: 'the Debian package nginx-light' },
  { name: 'wrk', from: 'the Debian package wrk' },
  { name: 'taskset', from: 'the Debian package util-linux' },
]

/** What the machine lacks to run the benchmark, one line each. */
export function missingParts(): string[] {
  const missing = TOOLS.filter(({ name }) => !Bun.which(name)).map(
    ({ name, from }) => `${name} is not on the PATH: install ${from}`,
  )
  if (process.platform !== 'linux') missing.push('processor time is read from /proc: run it on Linux')
  if (cpus().length < 2) missing.push('the contender and the load need a core each: run it on a machine with two')
  return missing
}

/** The machine and the versions, for the head of a report. */
export function describeMachine(): string[] {
  return [
    `${new Date().toISOString().slice(0, 10)} · ${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'} · Linux ${release()}`,
    `Bun ${Bun.version} · ${firstLine(['nginx', '-v'])} · ${firstLine(['wrk', '-v'])}`,
  ]
}

function firstLine(command: string[]): string {
  const { stdout, stderr } = Bun.spawnSync(command)
  const [line = ''] = `${stdout}${stderr}`.trim().split('\n')
  return line.replace(/^nginx version: |\s*Copyright.*$/g, '')
}
