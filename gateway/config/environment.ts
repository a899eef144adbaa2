import { ROOTS } from '../core/reference.ts'

/** Where `${…}` references are looked up. Files are read at load only. */
export interface Environment {
  variable(name: string): string | undefined
  /** The file's text; undefined when there is no such file. */
  file(path: string): string | Unreadable | undefined
}

/** A file that is there and cannot be read, and why. */
export interface Unreadable {
  readonly unreadable: string
}

export const emptyEnvironment: Environment = { variable: () => undefined, file: () => undefined }

export type Resolved = { readonly value: string; readonly changed: boolean } | { readonly mistake: string }

const REFERENCE = /\$\$\{|\$\{([^}]*)\}?/g
const VARIABLE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/

/**
 * Replaces `${NAME}`, `${NAME:-default}` (also when NAME is empty, as in a shell) and `${file:/path}`; `$${` stands for
 * a literal `${`. Nothing is ever evaluated.
 */
export function resolveReferences(text: string, environment: Environment): Resolved {
  if (!text.includes('${')) return { value: text, changed: false }
  const mistakes: string[] = []
  const value = text.replace(REFERENCE, (whole, inner: string | undefined) => {
    if (inner === undefined) return '${'
    if (!whole.endsWith('}')) {
      mistakes.push(`"${whole.slice(0, 60)}" lacks its closing brace`)
      return ''
    }
    if (inner.includes('{')) {
      mistakes.push(`"${whole.slice(0, 60)}" has a brace within: a default cannot hold braces or another reference`)
      return ''
    }
    const found = lookUp(inner, environment)
    if (typeof found === 'string') return found
    mistakes.push(found.mistake)
    return ''
  })
  const [mistake] = mistakes
  return mistake === undefined ? { value, changed: true } : { mistake }
}

function lookUp(inner: string, environment: Environment): string | { mistake: string } {
  if (inner.startsWith('file:')) {
    const path = inner.slice('file:'.length)
    if (path === '') return { mistake: `"\${file:}" lacks the path of a file, as in "\${file:/run/secrets/name}"` }
    const text = environment.file(path) ?? { unreadable: 'there is no such file' }
    if (typeof text === 'string') return text.replace(/\r?\n$/, '')
    return { mistake: `file "${path}" cannot be read: ${text.unreadable}` }
  }
  const match = VARIABLE.exec(inner)
  if (!match) {
    const shown = inner.slice(0, 60)
    const isOfRequest = ROOTS.some((root) => inner.startsWith(`${root}.`))
    const advice = isOfRequest
      ? `a value of the request is written {${shown}}, without the "$"`
      : `write \${NAME}, \${NAME:-default} or \${file:/path}`
    return { mistake: `"\${${shown}}" is not an environment reference: ${advice}` }
  }
  const [, name = '', fallback] = match
  const value = environment.variable(name)
  if (value !== undefined && (value !== '' || fallback === undefined)) return value
  if (fallback !== undefined) return fallback
  return { mistake: `environment variable ${name} is not set: set it, or give a default as in \${${name}:-…}` }
}
