import { readFileSync } from 'node:fs'

/** USER_HZ: what the kernel counts processor time in, whatever its own clock (100 on every platform Bun runs on). */
const TICKS_PER_SECOND = 100

/** Processor time a process has used, all its threads together, in milliseconds; counted in steps of 10 ms. */
export function cpuMsOf(pid: number): number {
  return parseCpuMs(readFileSync(`/proc/${pid}/stat`, 'utf8'))
}

/** Reads utime and stime out of a line of `/proc/<pid>/stat` (proc_pid_stat(5)). Throws `TypeError` for anything else. */
export function parseCpuMs(stat: string): number {
  // The second field is the program's name in parentheses, which may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = Number(fields[UTIME]) + Number(fields[UTIME + 1])
  if (!Number.isSafeInteger(ticks)) throw new TypeError(`No line of /proc/<pid>/stat: "${stat.slice(0, 80)}"`)
  return (ticks * 1_000) / TICKS_PER_SECOND
}

/** Field 14 of the line, counted from the one after the name. */
const UTIME = 11
