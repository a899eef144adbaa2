import { spawnSync } from 'node:child_process'
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** A disk of a few megabytes that can be filled to the last byte. */
export interface FullDisk {
  fill(): void
  /** Makes room again. */
  empty(): void
  unmount(): void
}

const SIZE = '8m'
const STEP = new Uint8Array(4_096)

/** Whether this process may mount; why not, when it may not. */
export function whyNoMount(): string | undefined {
  if (process.platform !== 'linux') return 'a small disk in memory can only be mounted on Linux'
  if (process.getuid?.() !== 0) return 'mounting a small disk needs root'
  return undefined
}

/** Mounts it on a folder; throws when that is not allowed. */
export function mountSmallDisk(folder: string): FullDisk {
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'tmpfs', folder])
  if (status !== 0) throw new Error(`Cannot mount a small disk on ${folder}: ${stderr}`)
  const filler = join(folder, 'filler')
  const unmount = () => void spawnSync('umount', ['-l', folder])
  process.once('exit', unmount)
  return {
    fill() {
      const file = openSync(filler, 'a')
      try {
        for (;;) writeSync(file, STEP)
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
      } finally {
        closeSync(file)
      }
    },
    empty: () => rmSync(filler, { force: true }),
    unmount() {
      process.off('exit', unmount)
      unmount()
    },
  }
}
