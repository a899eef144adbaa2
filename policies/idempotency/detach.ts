import type { Clock } from '../../gateway/core/clock.ts'
import { ClientGone, GatewayError } from '../../gateway/core/errors.ts'
import type { Exchange } from '../../gateway/core/exchange.ts'

/** Work that goes on to the deadline of its exchange when the client leaves. */
export interface DetachedWork {
  readonly signal: AbortSignal
  /** From now on the client's leaving ends it like anything else, also when the client has left already. */
  attach(): void
}

/**
 * Lets the work of an exchange outlive its client: who lost the connection will ask again with the same key, and must
 * find the answer instead of starting the work a second time.
 */
export function detachFromClient(
  { signal, deadline }: Pick<Exchange, 'signal' | 'deadline'>,
  clock: Clock,
): DetachedWork {
  const controller = new AbortController()
  let cancelDeadline: (() => void) | undefined
  let attached = false

  const onAbort = () => {
    if (attached || !(signal.reason instanceof ClientGone)) return controller.abort(signal.reason)
    if (!Number.isFinite(deadline)) return
    // The gateway stops watching the deadline once the client has left.
    cancelDeadline = clock.after(Math.max(0, deadline - clock.now()), () => {
      controller.abort(new GatewayError('upstream-timeout'))
    })
  }
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })

  return {
    signal: controller.signal,
    attach() {
      attached = true
      cancelDeadline?.()
      if (signal.aborted) controller.abort(signal.reason)
    },
  }
}
