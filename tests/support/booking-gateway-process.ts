import { writeSync } from 'node:fs'
import { startGateway } from '../../gateway/runtimes/bun/start.ts'

/** A gateway that kills itself at the given step of its writes: `bun booking-gateway-process.ts CONFIG STEP`; 0 for never. */
const [config = '', step = '0'] = process.argv.slice(2)
let left = Number(step)

const quiet = () => {}
const gateway = await startGateway({
  config,
  port: 0,
  adminPort: 0,
  log: { info: quiet, warn: quiet, error: quiet },
  onSagaStep() {
    if (--left !== 0) return
    writeSync(1, 'dies\n')
    process.kill(process.pid, 'SIGKILL')
  },
})
process.stdout.write(`${JSON.stringify({ url: gateway.url, adminUrl: gateway.adminUrl })}\n`)
process.on('SIGTERM', async () => {
  await gateway.stop()
  process.exit(0)
})
