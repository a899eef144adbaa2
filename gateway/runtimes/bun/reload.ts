import { type FSWatcher, readFileSync, watch } from 'node:fs'
import { dirname } from 'node:path'
import { ConfigError } from '../../config/mistake.ts'
import type { Plan } from '../../config/plan.ts'
import type { Logger, Metrics } from '../../core/telemetry.ts'

/** Quiet time after the last change: a file that is still being written could be valid YAML without its last policies. */
const SETTLE_MS = 500

/**
 * Watches a configuration file. A changed text is checked whole before `apply` gets it; a broken one is reported once
 * and changes nothing. The folder is watched, not the file: editors and Kubernetes replace files instead of writing them.
 */
export function watchConfig(
  file: string,
  load: (text: string) => Plan,
  log: Logger,
  metrics: Metrics,
  apply: (plan: Plan) => void,
): Pick<FSWatcher, 'close'> {
  let seen = read(file)
  let timer: ReturnType<typeof setTimeout> | undefined

  const reload = () => {
    const text = read(file)
    if (text === seen) return
    seen = text
    try {
      if (text === undefined) throw new Error('the file cannot be read')
      apply(load(text))
      metrics.count('sluice_config_reloads_total', { outcome: 'applied' })
      log.info('configuration reloaded', { file })
    } catch (error) {
      metrics.count('sluice_config_reloads_total', { outcome: 'refused' })
      log.error('configuration not reloaded, the last good one keeps serving', {
        file,
        mistakes: describe(error, file),
      })
    }
  }
  const watcher = watch(dirname(file) || '.', () => {
    clearTimeout(timer)
    timer = setTimeout(reload, SETTLE_MS)
  })
  watcher.on('error', (error) => log.warn('configuration is no longer watched', { file, error: String(error) }))
  return {
    close() {
      clearTimeout(timer)
      watcher.close()
    },
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

function describe(error: unknown, file: string): unknown {
  if (error instanceof ConfigError) return error.message.split('\n')
  return [`${file}  ${error instanceof Error ? error.message : String(error)}`]
}
