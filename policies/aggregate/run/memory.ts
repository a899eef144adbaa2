import { LRUCache } from 'lru-cache'
import type { Exchange } from '../../../gateway/core/exchange.ts'
import type { Fields } from '../../../gateway/core/read-reply.ts'
import type { Part } from '../plan/part.ts'
import type { PartRequest } from '../plan/request.ts'
import type { Reply } from '../reply/read.ts'
import { callerOf } from './caller.ts'

/** A remembered reply and how old it is, in milliseconds. */
export interface Remembered {
  readonly reply: Reply
  readonly ageMs: number
}

interface Kept {
  readonly reply: Reply
  readonly keptAtMs: number
  /** All characters of the names and values of its fields. */
  readonly fieldsLength: number
}

/** A parsed document takes some times the room of its text. */
const PARSED_FACTOR = 5
const ENTRY_BYTES = 512

/** Good replies by the call they answered, within a bound of memory; the least recently used are forgotten first. */
export class ReplyMemory {
  readonly #kept: LRUCache<string, Kept>

  constructor(maxBytes: number) {
    this.#kept = new LRUCache({
      maxSize: maxBytes,
      sizeCalculation: ({ reply, fieldsLength }, key) =>
        ENTRY_BYTES + 2 * (key.length + fieldsLength) + PARSED_FACTOR * reply.json.byteLength,
    })
  }

  /** The reply to this call, unless it is older than `maxAgeMs`. */
  find(key: string, maxAgeMs: number, nowMs: number): Remembered | undefined {
    const kept = this.#kept.get(key)
    if (!kept) return undefined
    const ageMs = nowMs - kept.keptAtMs
    return ageMs < maxAgeMs ? { reply: kept.reply, ageMs } : undefined
  }

  /** Remembers a reply, unless its upstream forbids that (RFC 9111 §3) or it was meant for one caller alone. */
  keep(
    key: string,
    reply: Reply,
    { isPersonal, nowMs }: { readonly isPersonal: boolean; readonly nowMs: number },
  ): void {
    const { status, headers, json, body } = reply
    if (forbidsKeeping(headers, isPersonal)) return
    const fields = [...headers]
    const fieldsLength = fields.reduce((length, [name, value]) => length + name.length + value.length, 0)
    // Fields of a fetched response belong to the request that fetched them on some runtimes, and the text is often a piece
    // of all that came at once: neither is to be kept with it.
    const own = { status, headers: new Headers(fields), json: new Uint8Array(json), body }
    this.#kept.set(key, { reply: own, keptAtMs: nowMs, fieldsLength })
  }
}

/** With everything, or with the fields that tell upstreams the client's address. */
const VARIES_WITH_ADDRESS = /\*|(?:^|[\s,])(?:forwarded|x-forwarded-for)(?:$|[\s,])/i

function forbidsKeeping(headers: Fields, isPersonal: boolean): boolean {
  const directives = (headers.get('cache-control') ?? '').toLowerCase()
  if (/(?:^|[\s,])no-store(?:$|[\s,])/.test(directives)) return true
  if (VARIES_WITH_ADDRESS.test(headers.get('vary') ?? '')) return true
  return !isPersonal && (/(?:^|[\s,])private(?:$|[\s,=])/.test(directives) || headers.has('set-cookie'))
}

/**
 * What a reply is remembered by: everything the call is made of, what earlier policies say of the caller included; the
 * address of the gateway as the client has it, of which upstreams may make links; and the caller itself, when what is
 * asked depends on it. Undefined when the caller cannot be told from others.
 */
export function memoryKey(part: Part, request: PartRequest, exchange: Exchange): string | undefined {
  const caller = part.keeping?.isPersonal ? callerOf(exchange) : ''
  if (caller === undefined) return undefined
  const told = new Headers()
  exchange.outgoing.applyTo(told)
  const { host, protocol } = exchange.client
  return JSON.stringify([
    part.name,
    caller,
    protocol,
    host,
    request.method,
    request.path,
    request.fields,
    request.body,
    [...told],
  ])
}
