import { createRedisScripts, type RedisCommands } from '../../gateway/services/store/redis-scripts.ts'

export interface UpstashRest {
  readonly url: string
  close(): void
}

/**
 * The part of Upstash's REST API the gateway uses (POST of one command as a JSON array, replies in base64 when asked),
 * in front of a real Redis. Runs on Bun.
 */
export function serveUpstashRest(redis: RedisCommands): UpstashRest {
  // Upstash understands the flag at the head of its scripts; Redis does not.
  const scripts = createRedisScripts(redis)

  const run = async ([name = '', script = '', count = '0', ...rest]: string[]): Promise<unknown> => {
    const [keys, values] = [rest.slice(0, Number(count)), rest.slice(Number(count))]
    if (name.toLowerCase() === 'eval') return await scripts.eval(script, keys, values)
    if (name.toLowerCase() === 'evalsha') return await scripts.evalsha(script, keys, values)
    throw new Error(`ERR unexpected command ${name}`)
  }

  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      if (request.headers.get('authorization') !== 'Bearer secret') {
        return Response.json({ error: 'Unauthorized' }, { status: 401 })
      }
      const command = ((await request.json()) as unknown[]).map(String)
      try {
        const result = await run(command)
        return Response.json({ result: request.headers.get('upstash-encoding') === 'base64' ? encode(result) : result })
      } catch (error) {
        return Response.json({ error: error instanceof Error ? error.message : String(error) }, { status: 400 })
      }
    },
  })
  return { url: `http://127.0.0.1:${server.port}`, close: () => void server.stop(true) }
}

function encode(result: unknown): unknown {
  if (Array.isArray(result)) return result.map(encode)
  return typeof result === 'string' ? Buffer.from(result).toString('base64') : result
}
