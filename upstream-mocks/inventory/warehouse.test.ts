import { describe, expect, test } from 'bun:test'
import { openDatabase } from '../consumer/index.ts'
import { createInventory } from './index.ts'
import { Warehouse } from './warehouse.ts'

const MUGS = [{ sku: 'MUG', quantity: 3 }]
const withMugs = (available: number) =>
  new Warehouse(
    openDatabase(':memory:'),
    new Map([
      ['MUG', available],
      ['POT', 1],
    ]),
  )

type Step = 'reserve' | 'release' | 'keep'

describe('a warehouse', () => {
  const scenarios: { name: string; steps: Step[]; available: number; state: string }[] = [
    { name: 'keeps what a confirmed order holds', steps: ['reserve', 'keep'], available: 7, state: 'kept' },
    {
      name: 'keeps it also when a release comes late',
      steps: ['reserve', 'keep', 'release'],
      available: 7,
      state: 'kept',
    },
    { name: 'keeps it once', steps: ['reserve', 'keep', 'keep'], available: 7, state: 'kept' },
    {
      name: 'keeps nothing that was put back',
      steps: ['reserve', 'release', 'keep'],
      available: 10,
      state: 'released',
    },
    { name: 'holds what an order wants', steps: ['reserve'], available: 7, state: 'held' },
    { name: 'holds it once, however often it is asked', steps: ['reserve', 'reserve'], available: 7, state: 'held' },
    { name: 'puts it back', steps: ['reserve', 'release'], available: 10, state: 'released' },
    { name: 'puts it back once', steps: ['reserve', 'release', 'release'], available: 10, state: 'released' },
    {
      name: 'keeps a released order released',
      steps: ['reserve', 'release', 'reserve'],
      available: 10,
      state: 'released',
    },
    {
      name: 'holds nothing for an order released before',
      steps: ['release', 'reserve'],
      available: 10,
      state: 'released',
    },
  ]
  test.each(scenarios)('$name', ({ steps, available, state }) => {
    const warehouse = withMugs(10)
    for (const step of steps) {
      if (step === 'reserve') warehouse.reserve('order', MUGS)
      else warehouse[step]('order')
    }
    expect(warehouse.stockOf('MUG')).toEqual({ sku: 'MUG', available, reserved: 10 - available })
    expect(warehouse.find('order')?.state).toBe(state as 'held')
  })

  test('sells the last piece, and only once', () => {
    const warehouse = withMugs(3)
    expect(warehouse.reserve('first', MUGS)?.state).toBe('held')
    expect(warehouse.reserve('second', MUGS)).toEqual({ state: 'refused', reason: 'Only 0 of MUG left, 3 wanted' })
  })

  test('holds all lines or none', () => {
    const warehouse = withMugs(10)
    const lines = [...MUGS, { sku: 'POT', quantity: 2 }]
    expect(warehouse.reserve('order', lines)).toEqual({ state: 'refused', reason: 'Only 1 of POT left, 2 wanted' })
    expect(warehouse.stockOf('MUG')).toEqual({ sku: 'MUG', available: 10, reserved: 0 })
  })

  test('adds up lines of the same SKU before it looks at the shelf', () => {
    const warehouse = withMugs(5)
    expect(warehouse.reserve('order', [...MUGS, ...MUGS])?.state).toBe('refused')
  })

  test('stays refused when a refused order is released', () => {
    const warehouse = withMugs(1)
    warehouse.reserve('order', MUGS)
    warehouse.release('order')
    expect(warehouse.stockOf('MUG')).toEqual({ sku: 'MUG', available: 1, reserved: 0 })
    expect(warehouse.find('order')?.state).toBe('refused')
    expect(warehouse.reserve('order', MUGS)).toBeUndefined()
  })

  test('knows of no reservation that was never asked for', () => {
    expect(withMugs(1).keep('order')).toBe('unknown')
  })

  test('refuses a SKU it has never heard of', () => {
    expect(withMugs(1).reserve('order', [{ sku: '__proto__', quantity: 1 }])?.state).toBe('refused')
  })
})

describe('GET /stock/:id', () => {
  const { app } = createInventory()

  test('tells what is available and what is reserved', async () => {
    expect(await (await app.request('/stock/MUG-001')).json()).toEqual({ sku: 'MUG-001', available: 120, reserved: 0 })
  })

  test('tells of many at once and leaves out what it does not keep', async () => {
    const { app } = createInventory()
    expect(await (await app.request('/stock?skus=POT-001,MUG-999,MUG-001')).json()).toEqual([
      { sku: 'POT-001', available: 9, reserved: 0 },
      { sku: 'MUG-001', available: 120, reserved: 0 },
    ])
    expect((await app.request('/stock')).status).toBe(400)
  })

  test('answers 404 for a SKU it does not keep', async () => {
    expect((await app.request('/stock/MUG-999')).status).toBe(404)
  })
})
