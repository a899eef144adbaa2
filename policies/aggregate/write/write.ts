import { toBase64 } from '../../../gateway/core/base64.ts'
import type { Exchange } from '../../../gateway/core/exchange.ts'
import type { Compensation, WriteDraft, WriteKeys } from '../../../gateway/core/journal.ts'
import { recordValues } from '../../../gateway/core/recorded-scope.ts'
import { referencesOfRequest, toRequestSource } from '../../../gateway/core/request-template.ts'
import { extendScope, type Scope } from '../../../gateway/core/scope.ts'
import { PartFailure } from '../failure.ts'
import type { PartOptions } from '../options.ts'
import type { PartRequest } from '../plan/request.ts'
import { isWrite } from './is-write.ts'
import { createFieldKeeping } from './kept-fields.ts'
import type { WrittenCompensation } from './options.ts'
import { createRehearsal } from './rehearsal.ts'

/** How a part writes, compiled. */
export interface Write {
  /** What is noted before the call. Throws `PartFailure` when it could not be undone, or that is too much to keep. */
  draft(request: PartRequest, noting: Noting): WriteDraft
  /** What its compensation reads of its reply. */
  ofReply(scope: Scope): Readonly<Record<string, unknown>>
  /** Whether it reads anything of it. */
  readonly readsReply: boolean
}

export interface Noting {
  readonly exchange: Exchange
  readonly scope: Scope
  readonly keys: WriteKeys
}

/** Most that is kept of one write, in characters of JSON. */
const MAX_KEPT = 1_048_576

/** Compiles how a part writes; undefined for one that changes nothing. */
export function compileWriting(name: string, part: PartOptions): Write | undefined {
  if (!isWrite(part)) return undefined
  const { compensate = 'none', upstream, success, 'pass-status': refusals = [] } = part
  const undoing = compensate === 'none' ? undefined : compileCompensation(name, part, compensate)
  const keep = createFieldKeeping(compensate === 'none' ? [] : compensate['keep-headers'])
  return {
    readsReply: (undoing?.ofReply.length ?? 0) > 0,
    ofReply: (scope) => recordValues(undoing?.ofReply ?? [], scope),
    draft({ method, path, fields, body }, noting) {
      const { exchange, keys } = noting
      const headers = keep(exchange, [...fields, [KEY, keys.write]])
      const bytes = body === undefined ? {} : { body: toBase64(new TextEncoder().encode(body)) }
      const compensation = undoing?.draft(noting, keep(exchange, [[KEY, keys.compensation]]))
      const draft = { part: name, upstream, request: { method, path, headers, ...bytes }, success, refusals }
      const whole = compensation ? { ...draft, compensation } : draft
      if (JSON.stringify(whole).length <= MAX_KEPT) return whole
      throw new PartFailure('input', { cause: `more than ${MAX_KEPT} characters would have to be kept to undo it` })
    },
  }
}

const KEY = 'idempotency-key'

function compileCompensation(name: string, part: PartOptions, written: WrittenCompensation) {
  const references = referencesOfRequest(written)
  const ofReply = references.filter(({ root, path }) => root === 'parts' && path[0] === name)
  const known = references.filter((reference) => !ofReply.includes(reference))
  const fixed = {
    upstream: written.upstream ?? part.upstream,
    template: toRequestSource(written),
    ofReply: [...new Set(ofReply.map(({ source }) => source))],
    success: written.success,
    whenUnknown: written['when-unknown'],
    maxBody: part['max-bytes'],
  }
  const rehearse = createRehearsal(written, fixed.ofReply)
  return {
    ofReply,
    draft({ scope, keys }: Noting, fields: Compensation['fields']): Compensation {
      const values = recordValues(known, extendScope(scope, { write: { key: keys.write } }))
      rehearse(values)
      return { ...fixed, fields, values }
    },
  }
}
