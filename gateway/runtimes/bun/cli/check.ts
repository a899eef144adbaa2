import { builtInPolicies } from '../../../../policies/index.ts'
import { loadConfig } from '../../../config/load.ts'
import { ConfigError, describeMistake } from '../../../config/mistake.ts'
import type { Plan } from '../../../config/plan.ts'
import { processEnvironment } from '../environment.ts'
import { readConfig } from '../read-config.ts'

/** `sluice check FILE`: 0 and a summary when the file is right, 1 and every mistake otherwise. */
export function check(file: string): number {
  try {
    const { routes, upstreams, notices } = loadFile(file)
    for (const notice of notices) console.error(`${describeMistake(notice)} (no mistake: only a notice)`)
    console.log(`${file} is right: ${count(routes.length, 'route')}, ${count(upstreams.length, 'upstream')}`)
    return 0
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    console.error(reportMistakes(error))
    return 1
  }
}

/** Loads a file with the built-in policies and this process's environment. Throws `ConfigError`. */
export function loadFile(file: string): Plan {
  const registry = new Map(builtInPolicies.map((policy) => [policy.name, policy]))
  return loadConfig(readConfig(file), { file, registry, environment: processEnvironment })
}

/** All mistakes, and how many there are. */
export function reportMistakes(error: ConfigError): string {
  return `${error.message}\n\n${count(error.mistakes.length, 'mistake')}: nothing is served`
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
