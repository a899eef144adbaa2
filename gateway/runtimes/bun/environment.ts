import { readFileSync } from 'node:fs'
import type { Environment, Unreadable } from '../../config/environment.ts'

/** The process's environment variables and the files of this machine. */
export const processEnvironment: Environment = { variable: (name) => process.env[name], file: readText }

/** The text of a file; undefined when there is none, and why when it is there and cannot be read. */
export function readText(path: string): string | Unreadable | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    // A path through something that is no folder leads to no file either.
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    return { unreadable: REASONS[code] ?? String(error) }
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EISDIR: 'it is a folder',
  EACCES: 'this user may not read it',
}

/** Files that a configuration has read, or looked for, and whether they say another thing now. */
export interface FileRecord {
  readonly environment: Environment
  /** True when a file changed, came or went since it was read, or since this was asked. */
  haveChanged(): boolean
}

/** An environment that remembers what it was asked to read. */
export function recordFiles({ variable, file }: Environment): FileRecord {
  const seen = new Map<string, string>()
  const look = (path: string) => {
    const found = file(path)
    return { found, print: JSON.stringify(found) ?? '' }
  }
  return {
    environment: {
      variable,
      file(path) {
        const { found, print } = look(path)
        seen.set(path, print)
        return found
      },
    },
    haveChanged() {
      const changed = [...seen].map(([path, before]) => ({ path, before, print: look(path).print }))
      for (const { path, print } of changed) seen.set(path, print)
      return changed.some(({ before, print }) => before !== print)
    },
  }
}
