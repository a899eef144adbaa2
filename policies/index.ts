import type { Policy } from '../gateway/core/policy.ts'
import aggregate from './aggregate/index.ts'
import apiKey from './api-key/index.ts'
import circuitBreaker from './circuit-breaker/index.ts'
import commandStatus from './command-status/index.ts'
import cors from './cors/index.ts'
import enqueue from './enqueue/index.ts'
import grayRelease from './gray-release/index.ts'
import headers from './headers/index.ts'
import idempotency from './idempotency/index.ts'
import jwt from './jwt/index.ts'
import publish from './publish/index.ts'
import rateLimit from './rate-limit/index.ts'
import redirect from './redirect/index.ts'
import respond from './respond/index.ts'
import retry from './retry/index.ts'
import timeout from './timeout/index.ts'

/** Every policy that comes with Sluice, one line per folder, in alphabetical order. */
export const builtInPolicies: readonly Policy[] = [
  aggregate,
  apiKey,
  circuitBreaker,
  commandStatus,
  cors,
  enqueue,
  grayRelease,
  headers,
  idempotency,
  jwt,
  publish,
  rateLimit,
  redirect,
  respond,
  retry,
  timeout,
]
