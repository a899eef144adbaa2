import type { AggregateOptions } from '../options.ts'
import { type Outcome, textOf } from '../outcome.ts'
import type { Constant } from '../plan/constant.ts'
import { isMapping, joinPairs, membersOf } from '../reply/slices.ts'

type Json = Uint8Array<ArrayBuffer>

/** What stands in one object of the answer, in file order. */
type Slot =
  | { readonly kind: 'part'; readonly index: number; readonly name: string; readonly key: Json }
  | { readonly kind: 'spread'; readonly index: number }
  | { readonly kind: 'group'; readonly name: string; readonly key: Json; readonly slots: readonly Slot[] }

export type OnConflict = AggregateOptions['on-conflict']

interface Fixed {
  readonly name: string
  readonly key: Json
  readonly value: Constant
}

/** Where each part stands in the answer. */
export interface Layout {
  readonly slots: readonly Slot[]
  readonly onConflict: OnConflict
  /** Members added to every answer, to whole ones and to others. */
  readonly fixed: { readonly complete: readonly Fixed[]; readonly incomplete: readonly Fixed[] }
  /** True when no two members can have the same name. */
  readonly isPlain: boolean
}

/** Works out the places of the parts, once. */
export function compileLayout({ parts, static: fixed, 'on-conflict': onConflict }: AggregateOptions): Layout {
  const slots: Slot[] = []
  const groups = new Map<string, Slot[]>()
  for (const [index, [name, { hidden, group, spread }]] of Object.entries(parts).entries()) {
    if (hidden) continue
    const place = group === undefined ? slots : groupOf(group)
    place.push(spread ? { kind: 'spread', index } : { kind: 'part', index, name, key: keyOf(name) })
  }
  const always = Object.entries(fixed.always).map(toFixed)
  return {
    slots,
    onConflict,
    fixed: {
      complete: [...always, ...Object.entries(fixed.complete).map(toFixed)],
      incomplete: [...always, ...Object.entries(fixed.incomplete).map(toFixed)],
    },
    isPlain: Object.values(parts).every(({ spread }) => !spread),
  }

  function groupOf(name: string): Slot[] {
    const known = groups.get(name)
    if (known) return known
    const members: Slot[] = []
    groups.set(name, members)
    slots.push({ kind: 'group', name, key: keyOf(name), slots: members })
    return members
  }
}

function toFixed([name, value]: [string, Constant]): Fixed {
  return { name, key: keyOf(name), value }
}

function keyOf(name: string): Json {
  return new TextEncoder().encode(JSON.stringify(name))
}

/** The names that stand in an object whatever the replies are, and the parts whose members stand beside them. */
export function placesIn({
  slots,
  fixed,
}: Layout): { readonly names: ReadonlySet<string>; readonly spread: number[] }[] {
  const own = [...fixed.complete, ...fixed.incomplete].map(({ name }) => name)
  const inner = slots.flatMap((slot) => (slot.kind === 'group' ? [{ slots: slot.slots, own: [] }] : []))
  return [{ slots, own }, ...inner].map((place) => ({
    names: new Set([...place.own, ...place.slots.flatMap((slot) => (slot.kind === 'spread' ? [] : [slot.name]))]),
    spread: place.slots.flatMap((slot) => (slot.kind === 'spread' ? [slot.index] : [])),
  }))
}

/**
 * One document of everything that has something to show, in file order. The texts are joined as they are, so that
 * numbers keep all their digits and no key can mean anything to the gateway.
 */
export function writeDocument(layout: Layout, outcomes: readonly Outcome[], isComplete: boolean): Json {
  const fixed = isComplete ? layout.fixed.complete : layout.fixed.incomplete
  if (layout.isPlain) return joinPairs([...pairsOf(layout.slots, outcomes), ...fixed.map(toPair)])
  const pairs = gather(layout.slots, outcomes, layout.onConflict)
  for (const { name, key, value } of fixed) put(pairs, { name, pair: [key, value.json] }, layout.onConflict)
  return joinPairs([...pairs.values()])
}

type Pair = readonly [key: Json, json: Json]

function toPair({ key, value }: Fixed): Pair {
  return [key, value.json]
}

function pairsOf(slots: readonly Slot[], outcomes: readonly Outcome[]): Pair[] {
  const pairs: Pair[] = []
  for (const slot of slots) {
    if (slot.kind === 'group') {
      const inner = pairsOf(slot.slots, outcomes)
      if (inner.length > 0) pairs.push([slot.key, joinPairs(inner)])
    } else if (slot.kind === 'part') {
      const json = textAt(outcomes, slot.index)
      if (json) pairs.push([slot.key, json])
    }
  }
  return pairs
}

/** The members of one object by name; which of two with one name stays is decided by their order in the file alone. */
function gather(slots: readonly Slot[], outcomes: readonly Outcome[], onConflict: OnConflict): Map<string, Pair> {
  const pairs = new Map<string, Pair>()
  for (const slot of slots) {
    if (slot.kind === 'group') {
      const inner = gather(slot.slots, outcomes, onConflict)
      if (inner.size > 0) put(pairs, { name: slot.name, pair: [slot.key, joinPairs([...inner.values()])] }, onConflict)
      continue
    }
    const json = textAt(outcomes, slot.index)
    if (!json) continue
    if (slot.kind === 'part') put(pairs, { name: slot.name, pair: [slot.key, json] }, onConflict)
    else if (isMapping(json)) {
      for (const [name, value] of membersOf(json)) put(pairs, { name, pair: [keyOf(name), value] }, onConflict)
    }
  }
  return pairs
}

/** With "error" no two are left by now. */
function put(
  pairs: Map<string, Pair>,
  { name, pair }: { readonly name: string; readonly pair: Pair },
  onConflict: OnConflict,
): void {
  if (onConflict === 'last' || !pairs.has(name)) pairs.set(name, pair)
}

function textAt(outcomes: readonly Outcome[], index: number): Json | undefined {
  const outcome = outcomes[index]
  return outcome && textOf(outcome)
}
