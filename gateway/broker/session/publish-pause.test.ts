import { describe, expect, test } from 'bun:test'
import { createVirtualClock } from '../../../tests/support/virtual-clock.ts'
import { Broker } from '../broker.ts'
import type { MethodArguments, MethodName } from '../codec/methods.ts'
import { PublishPause } from './publish-pause.ts'

function createScene() {
  const broker = new Broker({ clock: createVirtualClock(), limits: { memoryBytes: 1_000 } })
  const sent: unknown[] = []
  const send = <Name extends MethodName>(_channel: number, name: Name, values: MethodArguments<Name>) => {
    sent.push([name, values])
  }
  return { memory: broker.room.memory, sent, pause: new PublishPause({ broker, send }) }
}

describe('a client that publishes', () => {
  test('is told to pause and to go on, each once', () => {
    const { memory, sent, pause } = createScene()
    pause.begin()
    memory.take(949)
    expect(sent).toEqual([])
    memory.take(1)
    memory.take(50)
    memory.release(199)
    expect(sent).toEqual([['connection.blocked', { reason: 'low on memory' }]])
    memory.release(2)
    expect(sent.slice(1)).toEqual([['connection.unblocked', {}]])
  })

  test('is told with its first message when room was short before', () => {
    const { memory, sent, pause } = createScene()
    memory.take(1_000)
    expect(sent).toEqual([])
    pause.begin()
    pause.begin()
    expect(sent).toEqual([['connection.blocked', { reason: 'low on memory' }]])
  })

  test('is told nothing any more when it is gone', () => {
    const { memory, sent, pause } = createScene()
    pause.begin()
    pause.end()
    memory.take(1_000)
    expect(sent).toEqual([])
  })
})
