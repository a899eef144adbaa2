import { createServer, type ServerResponse } from 'node:http'

/**
 * How an order that the service has stored is not answered: after the gateway has given up, with another status, or
 * by a connection that is reset.
 */
export type BadAnswer = 'late' | 'error' | 'reset'

/** What stands between the gateway and the order service, and spoils answers after the orders have been stored. */
export interface OrdersFront {
  readonly url: string
  /** The answers to the next `count` orders. */
  spoil(how: BadAnswer, count: number): void
  /** How many were spoiled so far. */
  readonly spoiled: number
  close(): Promise<void>
}

export interface OrdersFrontOptions {
  /** Address of the order service; undefined while it is away. */
  readonly target: () => string | undefined
  /** How long a late answer takes, in milliseconds. */
  readonly lateMs: number
}

const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'host', 'content-length'])

/** Starts it on a free port of the loopback. */
export async function startOrdersFront({ target, lateMs }: OrdersFrontOptions): Promise<OrdersFront> {
  const due: BadAnswer[] = []
  let spoiled = 0

  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('error', () => response.socket?.destroy())
    request.on('end', () => {
      const fields = Object.entries(request.headers).filter(([name]) => !HOP_BY_HOP.has(name))
      const headers = fields.map(([name, value]): [string, string] => [name, String(value)])
      const { method = 'GET', url = '/' } = request
      const body = method === 'GET' ? null : Buffer.concat(chunks)
      void ask(`${target()}${url}`, { method, headers, body }).then((answer) => pass(answer, method, response))
    })
  })

  async function pass(answer: Response | undefined, method: string, response: ServerResponse): Promise<void> {
    const body = await answer?.arrayBuffer().then(Buffer.from, () => undefined)
    // A service that is killed leaves answers without their end, which must not become whole ones here.
    if (!answer || !body || String(body.length) !== answer.headers.get('content-length')) {
      // Destroying the response would make Bun answer an empty 200.
      response.socket?.destroy()
      return
    }
    const isOrder = method === 'POST' && answer.status === 201
    const bad = isOrder ? due.shift() : undefined
    if (bad) spoiled++
    if (bad === 'reset') {
      response.socket?.resetAndDestroy()
      return
    }
    if (bad === 'late') await Bun.sleep(lateMs)
    if (bad === 'error') {
      response
        .writeHead(spoiled % 2 === 0 ? 500 : 503, { 'content-type': 'application/json' })
        .end('{"title":"stored, and then it broke"}')
      return
    }
    const fields = [...answer.headers].filter(([name]) => !HOP_BY_HOP.has(name))
    response.writeHead(answer.status, Object.fromEntries(fields)).end(body)
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The front of the order service has no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    spoil(how, count) {
      for (let i = 0; i < count; i++) due.push(how)
    },
    get spoiled() {
      return spoiled
    },
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

async function ask(url: string, request: RequestInit): Promise<Response | undefined> {
  try {
    return await fetch(url, { ...request, keepalive: false })
  } catch {
    return undefined
  }
}
