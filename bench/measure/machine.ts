import { cpus, release } from 'node:os'

/** The Debian package each tool comes from. */
const PACKAGES: Readonly<Record<string, string>> = { nginx: 'nginx-light', wrk: 'wrk', taskset: 'util-linux' }

/** What the machine lacks to run the benchmark with these tools, one line each. */
export function missingParts(tools: readonly string[]): string[] {
  const missing = tools
    .filter((name) => !Bun.which(name))
    .map((name) => `${name} is not on the PATH: install the Debian package ${PACKAGES[name] ?? name}`)
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
