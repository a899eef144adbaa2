import { startGateway } from '../../gateway/runtimes/bun/start.ts'
import { createJsonLogger } from '../../gateway/services/telemetry/json-logger.ts'
import { type DeathPlan, dieAt, ownPart } from './part-process.ts'
import { type Sabotage, sabotage } from './sabotage.ts'
import { createSceneClock, type SceneTime } from './scene-clock.ts'

/** What the scene tells a gateway of its own. */
export interface GatewaySettings {
  readonly config: string
  readonly port: number
  readonly adminPort: number
  readonly time: SceneTime
  readonly death?: DeathPlan | undefined
  /** What is broken in it on purpose, to see the checker find it. */
  readonly sabotage?: Sabotage | undefined
}

const part = ownPart<GatewaySettings>()
const { config, port, adminPort, time, death } = part.settings
const clock = createSceneClock(time)
const log = createJsonLogger(clock, (line) => process.stdout.write(`${line}\n`))

if (part.settings.sabotage) sabotage(part.settings.sabotage)
part.onMessage((message) => {
  if (message.kind === 'set-clock') clock.set(message.offsetMs)
})
const gateway = await startGateway({ config, port, adminPort, log, clock, onStep: dieAt(death, part.die) })
part.ready({ url: gateway.url, adminUrl: gateway.adminUrl })
process.on('SIGTERM', () => void gateway.stop().then(() => process.exit(0)))
