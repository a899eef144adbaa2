import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Checks that no file holds two concepts: a source file has at most 250 lines, a test 400. */

const FOLDERS = ['gateway', 'policies', 'upstream-mocks', 'tests', 'scripts', 'bench']
const LIMITS = { source: 250, test: 400 }

export interface Oversize {
  readonly file: string
  readonly lines: number
  readonly limit: number
}

/** Every file under `root` that is longer than its kind may be. */
export function findOversize(root: string): Oversize[] {
  return FOLDERS.flatMap((folder) => typeScriptFiles(root, folder)).flatMap((file) => {
    const lines = readFileSync(join(root, file), 'utf8').trimEnd().split('\n').length
    const limit = isTest(file) ? LIMITS.test : LIMITS.source
    return lines > limit ? [{ file, lines, limit }] : []
  })
}

function isTest(file: string): boolean {
  return file.endsWith('.test.ts') || file.startsWith('tests/')
}

function typeScriptFiles(root: string, folder: string): string[] {
  try {
    return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !path.includes('node_modules'))
      .map((path) => `${folder}/${path}`)
      .sort()
  } catch {
    // A folder that is not there yet has nothing to check.
    return []
  }
}

if (import.meta.main) {
  const oversize = findOversize(fileURLToPath(new URL('..', import.meta.url)))
  for (const { file, lines, limit } of oversize) {
    console.error(
      `${file} has ${lines} lines, ${limit} are allowed: a second concept is hiding in it, give that its own file`,
    )
  }
  process.exitCode = oversize.length === 0 ? 0 : 1
}
