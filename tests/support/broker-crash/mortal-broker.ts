import { join } from 'node:path'
import { reservePort } from './reserve-port.ts'

/** A broker in another process that is killed and comes back at the same address. */
export interface MortalBroker {
  readonly url: string
  /** SIGKILL, then another process on the same file. */
  killAndRestart(): Promise<void>
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number>
}

export async function startMortalBroker(file: string | undefined): Promise<MortalBroker> {
  const port = await reservePort()
  const url = `amqp://guest:guest@127.0.0.1:${port}`
  let child = await spawnBroker(port, file)
  return {
    url,
    async killAndRestart() {
      child.kill('SIGKILL')
      await child.exited
      child = await spawnBroker(port, file)
    },
    async stop() {
      child.kill('SIGTERM')
      return await child.exited
    },
  }
}

async function spawnBroker(port: number, file: string | undefined) {
  const script = join(import.meta.dir, 'broker-process.ts')
  const child = Bun.spawn([process.execPath, script, String(port), ...(file === undefined ? [] : [file])], {
    stdout: 'pipe',
    stderr: 'inherit',
  })
  const { done } = await child.stdout.getReader().read()
  if (done) throw new Error(`The broker ended with ${await child.exited} instead of starting`)
  return child
}
