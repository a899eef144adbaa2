import { type CompensationOperations, OperationRefused, type Operations } from '../../../core/operations.ts'

/** How a running gateway is asked. */
export interface AdminClientOptions {
  /** Address of its admin listener, without a path. */
  readonly url: string
  readonly token: string | undefined
}

/** A replay of many letters takes as long as it takes; everything else is quick. The gateway hangs up later than this. */
const PATIENCE_MS = 120_000
const KINDS: Readonly<Record<number, OperationRefused['kind']>> = {
  404: 'not-found',
  409: 'wrong-state',
  503: 'unavailable',
}

function noAnswer(url: string, cause: unknown): string {
  if (!(cause instanceof Error && cause.name === 'TimeoutError')) {
    return `The gateway at ${url} does not answer: ${String(cause)}`
  }
  return `The gateway at ${url} has not answered within ${PATIENCE_MS / 1_000} s and goes on: list to see how far it has come, or do it again, which does no harm`
}

/** In a path a dot is a place, however it is written: "retry ." would put all back. */
function at(id: string): string {
  if (/^\.\.?$/.test(id)) throw new OperationRefused('not-found', `"${id}" is no ID`)
  return encodeURIComponent(id)
}

/** Everything an operator may do with a running gateway. */
export interface AdminClient extends Operations {
  readonly compensations: CompensationOperations
}

/** The operations of a running gateway, through its admin listener. */
export function createAdminClient({ url, token }: AdminClientOptions): AdminClient {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }

  async function ask<Answer>(path: string, method: 'GET' | 'POST' = 'GET'): Promise<Answer> {
    const response = await fetch(`${url}/_sluice${path}`, {
      method,
      headers: { ...authorization, 'content-type': 'application/json' },
      signal: AbortSignal.timeout(PATIENCE_MS),
      redirect: 'error',
    }).catch((cause: unknown) => {
      throw new OperationRefused('unavailable', noAnswer(url, cause), { cause })
    })
    const answer = (await response.json().catch(() => ({}))) as Answer & { readonly error?: string }
    if (response.ok) return answer
    const message = answer.error ?? `The gateway at ${url} answered with ${response.status}`
    throw new OperationRefused(KINDS[response.status] ?? 'unavailable', message)
  }

  return {
    compensations: {
      list: ({ state, limit }) => ask(`/compensations?limit=${limit}${state === undefined ? '' : `&state=${state}`}`),
      show: (id) => ask(`/compensations/${at(id)}`),
      retry: (id) => ask(`/compensations/${at(id)}/retry`, 'POST'),
      retryAll: () => ask('/compensations/retry', 'POST'),
      discard: (id) => ask(`/compensations/${at(id)}/discard`, 'POST'),
    },
    outbox: {
      list: ({ state, limit }) => ask(`/outbox?limit=${limit}${state === undefined ? '' : `&state=${state}`}`),
      show: (id) => ask(`/outbox/${at(id)}`),
      retry: (id) => ask(`/outbox/${at(id)}/retry`, 'POST'),
      retryAll: () => ask('/outbox/retry', 'POST'),
      discard: (id) => ask(`/outbox/${at(id)}/discard`, 'POST'),
    },
    deadLetters: {
      list: (limit) => ask(`/dead-letters?limit=${limit}`),
      replay: (id) => ask(`/dead-letters/${at(id)}/replay`, 'POST'),
      replayAll: () => ask('/dead-letters/replay', 'POST'),
      show: (id) => ask(`/dead-letters/${at(id)}`),
      discard: (id) => ask(`/dead-letters/${at(id)}/discard`, 'POST'),
    },
  }
}
