import type { OpenSocket, SocketListener } from '../../core/exchange.ts'

/** Bytes that may wait to be written to one side before the tunnel is given up: the other side sends faster than this one reads. */
export const MAX_WAITING_BYTES = 8_388_608

/** Bun's client, which takes headers; the DOM's type, which the compiler sees, does not. */
const BunWebSocket = WebSocket as unknown as new (
  url: string,
  options: { readonly headers: Record<string, string>; readonly protocols: string[] },
) => WebSocket & { terminate(): void }

/** The upstream answered the handshake with something else than 101; it is there, it just said no. */
export class HandshakeRefused extends Error {
  override readonly name = 'HandshakeRefused'
}

/** What Bun says when a handshake was answered otherwise; the code it closes with is the same as without a connection. */
const REFUSED = 'Expected 101'

/** Opens a WebSocket to an upstream. Rejects when it is refused, or with the signal's reason. */
export function openUpstreamSocket(
  url: string,
  headers: Headers,
  protocols: readonly string[],
  signal: AbortSignal,
): Promise<OpenSocket> {
  return new Promise((resolve, reject) => {
    const socket = new BunWebSocket(url, { headers: Object.fromEntries(headers), protocols: [...protocols] })
    socket.binaryType = 'arraybuffer'
    const giveUp = () => {
      socket.terminate()
      reject(signal.reason)
    }
    const waiting: ((listener: SocketListener) => void)[] = []
    let listener: SocketListener | undefined
    const tell = (what: (listener: SocketListener) => void) => {
      if (listener) what(listener)
      else waiting.push(what)
    }
    signal.addEventListener('abort', giveUp, { once: true })
    socket.onmessage = ({ data }) => tell((to) => to.message(typeof data === 'string' ? data : new Uint8Array(data)))
    let failure = ''
    socket.onerror = (event) => {
      failure = 'message' in event ? withoutUrl(String(event.message)) : ''
    }
    socket.onclose = ({ code, reason }) => {
      signal.removeEventListener('abort', giveUp)
      reject(failure.includes(REFUSED) ? new HandshakeRefused(failure) : new Error(`No WebSocket: ${code} ${failure}`))
      tell((to) => to.close(code, reason))
    }
    socket.onopen = () => {
      signal.removeEventListener('abort', giveUp)
      resolve({
        protocol: socket.protocol,
        send(data) {
          socket.send(typeof data === 'string' ? data : new Uint8Array(data))
          if (socket.bufferedAmount > MAX_WAITING_BYTES) socket.close(TRY_AGAIN_LATER, 'too slow')
        },
        close: (code, reason) => socket.close(sendable(code), reason),
        attach(given) {
          listener = given
          for (const what of waiting.splice(0)) what(given)
        },
      })
    }
  })
}

/** What Bun says of a failure names the URL; its query may hold keys and tokens, and this goes into the log. */
function withoutUrl(message: string): string {
  return message.replace(/ to '.*' failed/, ' failed')
}

const TRY_AGAIN_LATER = 3013

/** Codes an endpoint may send (RFC 6455 §7.4); the reserved ones only ever describe what happened on a connection. */
export function sendable(code: number): number {
  if (code === 1005) return 1000
  const isSendable = (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1006) || (code >= 3000 && code <= 4999)
  return isSendable ? code : 1011
}
