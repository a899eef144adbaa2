import type { UpstreamHandler, Upstreams } from '../../../gateway/core/services.ts'
import type { Template } from '../../../gateway/core/template.ts'
import type { PartOptions } from '../options.ts'
import type { Constant } from './constant.ts'
import { inputsOf } from './graph.ts'

/** One part of the answer, compiled. */
export interface Part {
  readonly name: string
  /** Parts it reads. */
  readonly inputs: readonly string[]
  readonly required: boolean
  readonly fallback: Constant | undefined
  readonly method: string
  readonly path: Template
  readonly upstream: UpstreamHandler
  readonly timeoutMs: number | undefined
  readonly maxBytes: number
}

/** Resolves everything about a part that does not depend on the request. */
export function compilePart(name: string, options: PartOptions, upstreams: Upstreams): Part {
  return {
    name,
    inputs: inputsOf(options),
    required: options.required,
    fallback: options.fallback,
    method: options.method,
    path: options.path,
    upstream: upstreams.get(options.upstream),
    timeoutMs: options.timeout,
    maxBytes: options['max-bytes'],
  }
}
