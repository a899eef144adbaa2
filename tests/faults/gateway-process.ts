import { startGateway } from '../../gateway/runtimes/bun/start.ts'
import { createJsonLogger } from '../../gateway/services/telemetry/json-logger.ts'
import { type DeathPlan, dieAt, ownPart } from './part-process.ts'
import { type Sabotage, sabotage } from './sabotage.ts'
import { createSceneClock } from './scene-clock.ts'

/** What the scene tells a gateway of its own. */
export interface GatewaySettings {
  readonly config: string
  readonly port: number
  readonly adminPort: number
  /** So many times as fast as the machine's runs its clock. */
  readonly speed: number
  readonly death?: DeathPlan | undefined
  /** What is broken in it on purpose, to see the checker find it. */
  readonly sabotage?: Sabotage | undefined
}

const part = ownPart<GatewaySettings>()
const { config, port, adminPort, speed, death } = part.settings
const clock = createSceneClock(speed)
const log = createJsonLogger(clock, (line) => process.stdout.write(`${line}\n`))

if (part.settings.sabotage) sabotage(part.settings.sabotage)
part.onMessage((message) => {
  if (message.kind === 'jump') clock.jump(message.byMs)
})
const gateway = await startGateway({ config, port, adminPort, log, clock, onStep: dieAt(death, part.die) })
part.ready({ url: gateway.url, adminUrl: gateway.adminUrl })
process.on('SIGTERM', () => void gateway.stop().then(() => process.exit(0)))
