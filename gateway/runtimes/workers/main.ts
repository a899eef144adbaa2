import { env } from 'cloudflare:workers'
import config from '../../../config/gateway.yaml'
import { createWorker } from './worker.ts'

/** The Worker of `wrangler.toml`. A mistake in the configuration stops it from starting, so that nothing half right is deployed. */
export default createWorker(config, env)
