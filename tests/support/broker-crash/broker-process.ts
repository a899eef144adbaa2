import { startEmbeddedBroker } from '../../../gateway/runtimes/bun/embedded-broker.ts'
import { realClock } from '../real-time.ts'
import { recordTelemetry } from '../recorded-telemetry.ts'

/** An embedded broker as a process of its own, to be killed. Arguments: port and file; without a file it keeps nothing. */
const [port, file] = process.argv.slice(2)
const broker = await startEmbeddedBroker({ clock: realClock, log: recordTelemetry().log, port: Number(port), file })
process.stdout.write(`${broker.url}\n`)
process.once('SIGTERM', async () => {
  await broker.stop()
  process.exit(0)
})
