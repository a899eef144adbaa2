/** What is needed of a `redis` client (TCP); the runtime makes it, connects it and closes it. */
export interface RedisCommands {
  sendCommand(command: readonly string[]): Promise<unknown>
}

/** Lua on a Redis: what `@upstash/ratelimit` calls. The `@upstash/redis` client (HTTP) is one as it stands. */
export interface Scripts {
  /** Runs a script by its SHA-1. Throws an error that says `NOSCRIPT` when the server does not hold it. */
  evalsha(hash: string, keys: string[], values: unknown[]): Promise<unknown>
  eval(script: string, keys: string[], values: unknown[]): Promise<unknown>
}

/** Upstash's scripts begin with a flag only Upstash knows; Redis refuses the whole script for it. */
const UPSTASH_FLAG = /^#!lua flags=allow-key-locking\n/

/**
 * Lets scripts written for Upstash run on Redis: the line Redis refuses is dropped, and the hash the caller knows is
 * mapped to the hash of what is loaded. Callers fall back to `eval` on `NOSCRIPT`, also after `SCRIPT FLUSH`.
 */
export function createRedisScripts(client: RedisCommands): Scripts {
  // One entry for each script of the code, never one for a request.
  const loaded = new Map<string, string>()

  return {
    async evalsha(hash, keys, values) {
      const actual = loaded.get(hash)
      if (actual === undefined) throw new Error('NOSCRIPT This connection has not sent the script yet')
      return client.sendCommand(['EVALSHA', actual, ...scriptArguments(keys, values)])
    },
    async eval(script, keys, values) {
      const runnable = script.replace(UPSTASH_FLAG, '')
      const reply = await client.sendCommand(['EVAL', runnable, ...scriptArguments(keys, values)])
      loaded.set(await sha1(script), await sha1(runnable))
      return reply
    },
  }
}

function scriptArguments(keys: readonly string[], values: readonly unknown[]): string[] {
  return [String(keys.length), ...keys, ...values.map(String)]
}

async function sha1(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-1', new TextEncoder().encode(text))
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
