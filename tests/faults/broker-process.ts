import { startEmbeddedBroker } from '../../gateway/runtimes/bun/embedded-broker.ts'
import { systemClock } from '../../gateway/runtimes/bun/system-clock.ts'
import { createJsonLogger } from '../../gateway/services/telemetry/json-logger.ts'
import { ownPart } from './part-process.ts'

/** What the scene tells an embedded broker that runs in a process of its own. */
export interface BrokerSettings {
  readonly port: number
  readonly file: string
}

const part = ownPart<BrokerSettings>()
const log = createJsonLogger(systemClock, (line) => process.stdout.write(`${line}\n`))
const broker = await startEmbeddedBroker({ ...part.settings, clock: systemClock, log })
part.ready({ url: broker.url })
process.on('SIGTERM', () => void broker.stop().then(() => process.exit(0)))
