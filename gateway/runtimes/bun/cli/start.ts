import { ConfigError } from '../../../config/mistake.ts'
import type { Logger } from '../../../core/telemetry.ts'
import { createJsonLogger } from '../../../services/telemetry/json-logger.ts'
import { createTerminalLogger } from '../../../services/telemetry/terminal-logger.ts'
import { createLineWriter } from '../standard-output.ts'
import { type RunningGateway, startGateway } from '../start.ts'
import { systemClock } from '../system-clock.ts'
import { reportMistakes } from './check.ts'
import { greeting } from './greeting.ts'

export interface StartArguments {
  readonly config: string
  readonly port: number | undefined
  readonly adminPort: number | undefined
  readonly mocks: boolean
}

/** `sluice start`: serves until SIGTERM or SIGINT. Returns 1 when it cannot start, undefined once it serves. */
export async function start({ mocks, ...options }: StartArguments): Promise<number | undefined> {
  const output = createLineWriter()
  // People read a terminal; everything else gets JSON lines.
  const log = (process.stdout.isTTY ? createTerminalLogger : createJsonLogger)(systemClock, output.write)
  warnOfUncheckedCertificates(log)
  let gateway: RunningGateway
  try {
    gateway = await startGateway({ ...options, log })
  } catch (error) {
    output.flush()
    console.error(
      error instanceof ConfigError ? reportMistakes(error) : error instanceof Error ? error.message : String(error),
    )
    return 1
  }
  let shop: { stop(): Promise<void> } | undefined
  if (mocks) {
    try {
      shop = await startShopBeside(gateway, log)
    } catch (error) {
      await gateway.stop()
      console.error(`Cannot start the demo shop: ${error instanceof Error ? error.message : String(error)}`)
      return 1
    }
  }
  // A log that is piped somewhere stays pure JSON lines.
  if (mocks || process.stdout.isTTY) console.log(greeting(gateway, mocks))
  log.info('serving', { url: gateway.url, admin: gateway.adminUrl, config: options.config })
  stopOnSignal(async () => {
    log.info('stopping')
    await gateway.stop()
    await shop?.stop()
    log.info('stopped')
    output.flush()
  })
  return undefined
}

/** Bun itself says nothing, and then anybody on the way can be the upstream. */
function warnOfUncheckedCertificates(log: Logger): void {
  if (process.env.NODE_TLS_REJECT_UNAUTHORIZED !== '0') return
  log.warn('certificates of upstreams are not checked', {
    because: 'NODE_TLS_REJECT_UNAUTHORIZED=0',
    instead: 'NODE_EXTRA_CA_CERTS=<file> trusts an authority of your own',
  })
}

/** Loaded only when asked for: the shop is no part of the gateway. */
async function startShopBeside({ brokerUrl }: RunningGateway, log: Logger) {
  const { startShop, USUAL_DATA } = await import('../../../../upstream-mocks/index.ts')
  const data = process.env.SHOP_DATA || USUAL_DATA
  return startShop({ ...(brokerUrl === undefined ? {} : { amqpUrl: brokerUrl }), data, log: shopLog(log) })
}

/** The shop's lines go where the gateway's go, marked as the shop's. */
function shopLog(log: Logger): Pick<Logger, 'info' | 'warn'> {
  return {
    info: (message, facts) => log.info(message, { from: 'shop', ...facts }),
    warn: (message, facts) => log.warn(message, { from: 'shop', ...facts }),
  }
}

/** Under npm a signal to all processes arrives twice: Ctrl-C from the terminal and from npm, SIGTERM from systemd and from npm. */
const SAME_SIGNAL_MS = 1_000

function stopOnSignal(stop: () => Promise<void>): void {
  let stoppingSince: number | undefined
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      const now = systemClock.monotonic()
      if (stoppingSince !== undefined) {
        if (now - stoppingSince >= SAME_SIGNAL_MS) process.exit(1)
        return
      }
      stoppingSince = now
      if (process.stdout.isTTY) console.log('\nStopping; press Ctrl-C again to end at once')
      stop().then(
        () => process.exit(0),
        (error: unknown) => {
          console.error(error instanceof Error ? error.message : String(error))
          process.exit(1)
        },
      )
    })
  }
}
