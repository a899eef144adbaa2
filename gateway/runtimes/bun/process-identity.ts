import { readFileSync, readlinkSync } from 'node:fs'

/**
 * What tells this process from every other one of this machine, now and later; empty where the system does not say
 * (it needs Linux's `/proc`). A number alone is given to another process in time, and to others in other containers.
 */
export function identifyProcess(): string {
  try {
    const { startedAt } = readState('self')
    return JSON.stringify({ machine: identifyMachine(), pid: process.pid, startedAt })
  } catch {
    return ''
  }
}

/** Whether that process has certainly ended. False whenever this cannot be told from here. */
export function isProcessGone(identity: string): boolean {
  if (identity === '') return false
  const { machine, pid, startedAt } = JSON.parse(identity)
  if (machine !== identifyMachine()) return false
  try {
    const present = readState(String(pid))
    return present.startedAt !== startedAt || DEAD.has(present.state)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT'
  }
}

/** A process that was killed stays listed until its parent has taken note. */
const DEAD: ReadonlySet<string> = new Set(['Z', 'X', 'x'])

/** One boot, and one numbering of processes. */
function identifyMachine(): string {
  return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`
}

function readState(pid: string): { state: string; startedAt: string } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The second field is the program's name, in parentheses, and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state, startedAt] = [fields[0], fields[19]]
  if (state === undefined || startedAt === undefined) throw new Error(`/proc/${pid}/stat has another form`)
  return { state, startedAt }
}
