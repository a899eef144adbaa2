import type { Clock } from '../../../gateway/core/clock.ts'
import { GatewayError } from '../../../gateway/core/errors.ts'
import type { Exchange } from '../../../gateway/core/exchange.ts'
import type { Scope } from '../../../gateway/core/scope.ts'
import { PartFailure, toPartFailure } from '../failure.ts'
import type { Part } from '../plan/part.ts'
import { type Reply, readReply } from '../reply/read.ts'

/** Longest path a call may have; replies of other parts can stand in it. */
const MAX_PATH_LENGTH = 16_384

/**
 * Asks for one part and reads its reply, within the part's own time and as long as `whole` lasts, even when the upstream
 * ignores both. Rejects with `PartFailure`.
 */
export async function callPart(
  part: Part,
  exchange: Exchange,
  scope: Scope,
  { whole, clock }: { readonly whole: AbortSignal; readonly clock: Clock },
): Promise<Reply> {
  const { signal, release } = limitTime(part.timeoutMs, whole, clock)
  const { promise: stopped, reject } = Promise.withResolvers<never>()
  const stop = () => reject(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  try {
    signal.throwIfAborted()
    return await Promise.race([ask(part, exchange, renderPath(part, scope), signal), stopped])
  } catch (error) {
    throw toPartFailure(error, signal)
  } finally {
    signal.removeEventListener('abort', stop)
    release()
  }
}

async function ask(part: Part, exchange: Exchange, path: string, signal: AbortSignal): Promise<Reply> {
  const { name, method, maxBytes } = part
  const headers = headersFor(exchange)
  return readReply(await part.upstream(exchange, { method, path, headers, signal, part: name }), maxBytes, signal)
}

/** Nothing of the client's request goes on but the language; who the caller is, the gateway says. */
function headersFor({ request }: Exchange): Headers {
  const headers = new Headers({ accept: 'application/json', 'accept-encoding': 'identity' })
  const language = request.headers.get('accept-language')
  if (language !== null) headers.set('accept-language', language)
  return headers
}

function renderPath({ path, inputs }: Part, scope: Scope): string {
  try {
    const rendered = path.path(scope)
    if (rendered.length <= MAX_PATH_LENGTH) return rendered
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    const { detail } = error
    // What another part did not bring is an upstream's failure; what the client did not send is the client's.
    if (inputs.length === 0) throw new PartFailure('input', { code: 'invalid-request', detail, cause: detail })
    throw new PartFailure('input', { cause: detail })
  }
  throw new PartFailure('input', { cause: `its path would have more than ${MAX_PATH_LENGTH} characters` })
}

function limitTime(timeoutMs: number | undefined, whole: AbortSignal, clock: Clock) {
  if (timeoutMs === undefined) return { signal: whole, release: () => {} }
  const own = new AbortController()
  const release = clock.after(timeoutMs, () => own.abort(new GatewayError('upstream-timeout')))
  return { signal: AbortSignal.any([whole, own.signal]), release }
}
