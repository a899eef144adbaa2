import { describe, expect, test } from 'bun:test'
import { createVirtualClock } from '../../../tests/support/virtual-clock.ts'
import { Departures } from './departures.ts'

const ONCE = { once: true } as const

/** A request whose signal is counted when it is asked for, with a client that can leave. */
function arrived() {
  const client = new AbortController()
  let asked = 0
  return {
    leave: () => client.abort(),
    asked: () => asked,
    request: {
      get signal() {
        asked++
        return client.signal
      },
    },
  }
}

function listening() {
  let told = 0
  return { told: () => told, handleEvent: () => void told++ }
}

function watched() {
  const clock = createVirtualClock()
  const departures = new Departures(clock)
  const visit = { ...arrived(), listener: listening() }
  const departure = departures.of(visit.request)
  departure.addEventListener('abort', visit.listener, ONCE)
  return { clock, departures, departure, ...visit }
}

describe('a client that leaves', () => {
  test('is noticed when its request is 25 to 50 ms old, and from then on at once', async () => {
    const { clock, leave, listener, asked } = watched()
    await clock.advance(49)
    expect(asked()).toBe(0)
    await clock.advance(1)
    expect([asked(), listener.told()]).toEqual([1, 0])
    leave()
    expect(listener.told()).toBe(1)
  })

  test('is noticed though it left before', async () => {
    const { clock, leave, listener, departure } = watched()
    await clock.advance(3)
    leave()
    await clock.advance(46)
    expect([listener.told(), departure.aborted]).toEqual([0, false])
    await clock.advance(1)
    expect([listener.told(), departure.aborted]).toEqual([1, true])
  })

  test('is noticed in time whenever its request came between two looks', async () => {
    for (let laterMs = 0; laterMs <= 60; laterMs += 5) {
      const { clock, departures } = watched()
      await clock.advance(laterMs)
      const { request, leave } = arrived()
      const listener = listening()
      departures.of(request).addEventListener('abort', listener, ONCE)
      leave()
      await clock.advance(24)
      expect(listener.told()).toBe(0)
      await clock.advance(26)
      expect(listener.told()).toBe(1)
    }
  })

  test('matters to nobody when its request is answered by then: its signal is never asked for', async () => {
    const { clock, departure, leave, listener, asked } = watched()
    await clock.advance(20)
    departure.removeEventListener('abort', listener)
    await clock.advance(1_000)
    leave()
    expect([asked(), listener.told()]).toEqual([0, 0])
  })

  test('matters to nobody when its request is answered after that', async () => {
    const { clock, departure, leave, listener, asked } = watched()
    await clock.advance(100)
    departure.removeEventListener('abort', listener)
    leave()
    expect([asked(), listener.told()]).toEqual([1, 0])
  })
})

test('nothing is waited for while nobody is watched', async () => {
  const clock = createVirtualClock()
  let waits = 0
  const departures = new Departures({
    ...clock,
    after(delayMs, task) {
      waits++
      return clock.after(delayMs, task)
    },
  })
  departures.of(arrived().request)
  expect(waits).toBe(0)
  departures.of(arrived().request).addEventListener('abort', listening(), ONCE)
  departures.of(arrived().request).addEventListener('abort', listening(), ONCE)
  await clock.advance(1_000)
  expect(waits).toBe(2)
})
