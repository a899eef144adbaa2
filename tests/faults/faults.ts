import { CONSUMERS } from './names.ts'
import type { BadAnswer } from './orders-front.ts'
import type { Part } from './part.ts'
import type { PlannedFault } from './plan.ts'
import { relayHolder } from './relay-holder.ts'
import { type Scene, SPEED } from './scene.ts'

/** Brings a fault about and mends it again; resolves once it is mended. */
type Doing = (scene: Scene, fault: PlannedFault) => Promise<void>

const DAY_MS = 86_400_000
/** Confirmations are waited for 5 s of the gateway's time. */
const BEYOND_CONFIRM_TIMEOUT_MS = 5_000 / SPEED + 200
/** Longer than a relay may be silent before another takes over; see the lease of the outbox. */
const BEYOND_LEASE_MS = 1_500
const SLOW_BYTES_PER_SECOND = 10_000
const COMES_BACK_MS = 200
const SETTLES_AFTER_MS = 100
const READY_WITHIN_MS = 60_000

/** How each fault is done that is not planned into a process from its start. */
const DOINGS: Readonly<Record<string, Doing>> = {
  async 'gateway-killed'({ gateways }, { draw }) {
    choose(gateways, draw).signal('SIGKILL')
  },

  async 'gateway-stopped'({ gateways }, { draw }) {
    choose(gateways, draw).signal('SIGTERM')
  },

  async 'relay-killed'(scene) {
    relayHolder(scene).signal('SIGKILL')
  },

  async 'relay-frozen'(scene) {
    const holder = relayHolder(scene)
    holder.signal('SIGSTOP')
    await Bun.sleep(BEYOND_LEASE_MS)
    holder.signal('SIGCONT')
  },

  async 'clock-forward'({ setClock }, { draw }) {
    setClock(draw * 2 * DAY_MS)
  },

  async 'clock-back'({ setClock }, { draw }) {
    setClock(-draw * 2 * DAY_MS)
  },

  async 'outbox-disk-full'({ disk }, { lastsMs }) {
    disk?.fill()
    await Bun.sleep(lastsMs)
    disk?.empty()
  },

  async 'broker-killed'({ broker }, { lastsMs }) {
    await broker.kill()
    await Bun.sleep(lastsMs)
    await broker.start()
  },

  async 'broker-alarm'({ broker }, { lastsMs }) {
    await broker.alarm(true)
    await Bun.sleep(lastsMs)
    await broker.alarm(false)
  },

  async 'line-cut'({ gatewayLine }, { lastsMs, draw }) {
    gatewayLine?.cutAfter(Math.floor(draw * 2_000))
    await Bun.sleep(lastsMs)
    gatewayLine?.resume()
  },

  async 'line-silent'({ gatewayLine }, { lastsMs }) {
    gatewayLine?.hold()
    await Bun.sleep(BEYOND_CONFIRM_TIMEOUT_MS + lastsMs)
    gatewayLine?.resume()
  },

  async 'confirms-late'({ gatewayLine }, { lastsMs }) {
    gatewayLine?.holdReplies()
    await Bun.sleep(BEYOND_CONFIRM_TIMEOUT_MS + lastsMs)
    gatewayLine?.resume()
  },

  async 'line-slow'({ gatewayLine }, { lastsMs }) {
    gatewayLine?.slow(SLOW_BYTES_PER_SECOND)
    await Bun.sleep(2 * lastsMs)
    gatewayLine?.resume()
  },

  /**
   * What the broker has confirmed and somebody deletes is gone, whatever a gateway does; so the messages are taken out
   * before. What is published meanwhile comes back, and has to arrive later.
   */
  async 'queues-deleted'(scene, { lastsMs }) {
    const { operator, names } = scene
    const takers = [scene.consumers.inventory, scene.consumers.ledger]
    await Promise.all(takers.map(pause))
    await withoutPublishing(scene, async () => {
      for (const queue of names.orderPlaced) await operator.unbind(queue, names.exchange, 'order.placed')
    })
    await Promise.all(names.orderPlaced.map((queue) => operator.abandoned(queue)))
    // What the consumers had in hand comes back to the queue a moment after they are gone.
    await Bun.sleep(COMES_BACK_MS)
    const rescued = await Promise.all(names.orderPlaced.map((queue) => operator.drain(queue)))
    for (const queue of names.orderPlaced) {
      const lost = await operator.deleteQueue(queue)
      if (lost > 0)
        throw new Error(`${lost} messages were deleted with ${queue}: the fault was not brought about with care`)
    }
    await Bun.sleep(lastsMs)
    await withoutPublishing(scene, () => startAgain(takers))
    for (const [index, queue] of names.orderPlaced.entries()) await operator.putBack(queue, rescued[index] ?? [])
  },

  async 'exchange-deleted'(scene, { lastsMs }) {
    const everyone = Object.values(scene.consumers)
    await Promise.all(everyone.map(pause))
    await scene.operator.deleteExchange(scene.names.exchange)
    await Bun.sleep(lastsMs)
    // Consumers publish too: none of them may begin before everybody is bound.
    await withoutPublishing(scene, () => scene.operator.bind(scene.names.exchange, scene.names.bindings))
    await startAgain(everyone)
  },

  async 'consumer-killed'(scene, { draw }) {
    scene.consumers[choose(CONSUMERS, draw)].signal('SIGKILL')
  },

  async 'consumer-cut'({ consumerLine }, { lastsMs, draw }) {
    consumerLine.cutAfter(Math.floor(draw * 2_000))
    await Bun.sleep(lastsMs)
    consumerLine.resume()
  },

  'orders-late': spoilAnswers('late'),
  'orders-error': spoilAnswers('error'),
  'orders-reset': spoilAnswers('reset'),

  async 'orders-killed'({ consumers }) {
    consumers.orders.signal('SIGKILL')
  },
}

/** Brings it about, and notes that it has come. Does nothing for a fault that was planned into a process. */
export async function bringAbout(scene: Scene, fault: PlannedFault): Promise<void> {
  const doing = DOINGS[fault.name]
  if (!doing) return
  await doing(scene, fault)
  scene.fired.add(fault.name)
}

function spoilAnswers(how: BadAnswer): Doing {
  return async ({ front }, { count }) => {
    const before = front.spoiled
    front.spoil(how, count)
    const until = performance.now() + 2_000
    while (front.spoiled === before && performance.now() < until) await Bun.sleep(10)
  }
}

/** Lets it finish what it has in hand, and keeps it away. */
async function pause(part: Part): Promise<void> {
  part.hold()
  part.signal('SIGTERM')
  while (part.facts) await Bun.sleep(10)
}

async function startAgain(parts: readonly Part[]): Promise<void> {
  for (const part of parts) part.release()
  await Promise.all(parts.map((part) => part.ready(READY_WITHIN_MS)))
}

/** While one queue is bound and another is not, whatever is published is lost to the other; so nothing is. */
async function withoutPublishing({ gatewayLine }: Scene, work: () => Promise<void>): Promise<void> {
  gatewayLine?.cut()
  // What the broker has received by then, it may still be routing.
  await Bun.sleep(SETTLES_AFTER_MS)
  await work()
  gatewayLine?.resume()
}

function choose<Item>(items: readonly Item[], draw: number): Item {
  const item = items[Math.floor(draw * items.length)]
  if (item === undefined) throw new RangeError('Cannot choose one of nothing')
  return item
}
