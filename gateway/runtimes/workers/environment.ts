import type { Environment } from '../../config/environment.ts'

/** Variables, secrets and bindings of a Worker, by name. */
export type Bindings = Readonly<Record<string, unknown>>

/** `${NAME}` reads a variable or secret; there are no files on Workers, so every `${file:…}` is a mistake. */
export function bindingEnvironment(bindings: Bindings): Environment {
  return {
    variable(name) {
      const value = Object.hasOwn(bindings, name) ? bindings[name] : undefined
      return typeof value === 'string' ? value : undefined
    },
    file: () => undefined,
  }
}
