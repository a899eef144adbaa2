import { readFileSync } from 'node:fs'
import type { Environment } from '../../config/environment.ts'

/** The process's environment variables and the files of this machine. */
export const processEnvironment: Environment = {
  variable: (name) => process.env[name],
  file(path) {
    try {
      return readFileSync(path, 'utf8')
    } catch {
      return undefined
    }
  },
}
