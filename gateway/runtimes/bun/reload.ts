import { type FSWatcher, watch } from 'node:fs'
import { dirname, join } from 'node:path'
import { ConfigError } from '../../config/mistake.ts'
import type { Plan } from '../../config/plan.ts'
import type { Logger, Metrics } from '../../core/telemetry.ts'
import { type FileRecord, readText } from './environment.ts'

/** Quiet time after the last change: a file that is still being written could be valid YAML without its last policies. */
const SETTLE_MS = 500

export interface Watched {
  /** Path of the configuration file. */
  readonly file: string
  /** What loading it has read beside it. */
  readonly files: Pick<FileRecord, 'haveChanged'>
  readonly load: (text: string) => Plan
  readonly log: Logger
  readonly metrics: Metrics
}

/**
 * Watches a configuration file and the schemas in `events/` beside it. When one of them says another thing, the whole is
 * checked before `apply` gets it; a broken one is reported once and changes nothing. The folders are watched, not the
 * files: editors and Kubernetes replace files instead of writing them.
 */
export function watchConfig(
  { file, files, load, log, metrics }: Watched,
  apply: (plan: Plan) => void,
): Pick<FSWatcher, 'close'> {
  const folder = dirname(file) || '.'
  let seen = read(file)
  let timer: ReturnType<typeof setTimeout> | undefined
  let schemas: FSWatcher | undefined

  const reload = () => {
    const text = read(file)
    // Asked in any case: what has changed must not count as changed a second time.
    const othersChanged = files.haveChanged()
    if (text === seen && !othersChanged) return
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
  const settle = () => {
    clearTimeout(timer)
    timer = setTimeout(reload, SETTLE_MS)
  }
  const watchSchemas = () => {
    schemas?.close()
    schemas = watchIfThere(join(folder, 'events'), settle)
  }
  const watcher = watch(folder, () => {
    // The folder of the schemas may have come, gone, or become another one.
    watchSchemas()
    settle()
  })
  watchSchemas()
  watcher.on('error', (error) => log.warn('configuration is no longer watched', { file, error: String(error) }))
  return {
    close() {
      clearTimeout(timer)
      watcher.close()
      schemas?.close()
    },
  }
}

function watchIfThere(folder: string, changed: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, changed)
    // Its end is seen by the watcher of the folder around it.
    watcher.on('error', () => {})
    return watcher
  } catch {
    return undefined
  }
}

function read(file: string): string | undefined {
  const text = readText(file)
  return typeof text === 'string' ? text : undefined
}

function describe(error: unknown, file: string): unknown {
  if (error instanceof ConfigError) return error.message.split('\n')
  return [`${file}  ${error instanceof Error ? error.message : String(error)}`]
}
