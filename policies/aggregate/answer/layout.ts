import { joined } from '../../../gateway/core/gathered.ts'
import type { AggregateOptions } from '../options.ts'
import { type Outcome, textOf } from '../outcome.ts'
import type { Constant } from '../plan/constant.ts'
import { isMapping, joinPairs, membersOf } from '../reply/slices.ts'

type Json = Uint8Array<ArrayBuffer>

/** The name of a member, and the texts that lead to its value in an object. */
interface Named {
  readonly name: string
  readonly key: Json
  /** Where it is the first member: `{"name":`. */
  readonly first: Json
  /** Where another stands before it: `,"name":`. */
  readonly later: Json
}

/** What stands in one object of the answer, in file order. */
type Slot =
  | ({ readonly kind: 'part'; readonly index: number } & Named)
  | { readonly kind: 'spread'; readonly index: number }
  | ({ readonly kind: 'group'; readonly slots: readonly Slot[] } & Named)

export type OnConflict = AggregateOptions['on-conflict']

interface Fixed extends Named {
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
    place.push(spread ? { kind: 'spread', index } : { kind: 'part', index, ...named(name) })
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
    slots.push({ kind: 'group', ...named(name), slots: members })
    return members
  }
}

function toFixed([name, value]: [string, Constant]): Fixed {
  return { ...named(name), value }
}

function named(name: string): Named {
  const key = JSON.stringify(name)
  return { name, key: encode(key), first: encode(`{${key}:`), later: encode(`,${key}:`) }
}

function encode(text: string): Json {
  return new TextEncoder().encode(text)
}

/** One object of the answer. */
interface Place {
  /** The names that stand in it whatever the replies are, each with what it is of, in words. */
  readonly owners: ReadonlyMap<string, string>
  /** The parts whose members stand beside them. */
  readonly spread: readonly number[]
}

/** Every object of the answer that has names of the file in it. */
export function placesIn({ slots, fixed }: Layout): Place[] {
  const own = [...fixed.complete, ...fixed.incomplete].map(({ name }) => [name, '"static"'] as const)
  const inner = slots.flatMap((slot) => (slot.kind === 'group' ? [{ slots: slot.slots, own: [] }] : []))
  return [{ slots, own }, ...inner].map((place) => ({
    owners: new Map([
      ...place.own,
      ...place.slots.flatMap((slot) =>
        slot.kind === 'spread' ? [] : [[slot.name, `the ${slot.kind} "${slot.name}"`] as const],
      ),
    ]),
    spread: place.slots.flatMap((slot) => (slot.kind === 'spread' ? [slot.index] : [])),
  }))
}

/**
 * One document of everything that has something to show, in file order. The texts are joined as they are, so that
 * numbers keep all their digits and no key can mean anything to the gateway.
 */
export function writeDocument(layout: Layout, outcomes: readonly Outcome[], isComplete: boolean): Json {
  const fixed = isComplete ? layout.fixed.complete : layout.fixed.incomplete
  if (layout.isPlain) return writePlain(layout.slots, fixed, outcomes)
  const pairs = gather(layout.slots, outcomes, layout.onConflict)
  for (const { name, key, value } of fixed) put(pairs, { name, pair: [key, value.json] }, layout.onConflict)
  return joinPairs([...pairs.values()])
}

const CLOSE = encode('}')
const EMPTY = encode('{}')

function writePlain(slots: readonly Slot[], fixed: readonly Fixed[], outcomes: readonly Outcome[]): Json {
  const texts: Json[] = []
  addMembers(texts, slots, outcomes)
  for (const { first, later, value } of fixed) texts.push(texts.length === 0 ? first : later, value.json)
  if (texts.length === 0) return EMPTY
  texts.push(CLOSE)
  return joined(texts)
}

/** Adds the members of one object that have something to show, without the brace that closes it. */
function addMembers(texts: Json[], slots: readonly Slot[], outcomes: readonly Outcome[]): void {
  const start = texts.length
  for (const slot of slots) {
    if (slot.kind === 'spread') continue
    const at = texts.length
    texts.push(at === start ? slot.first : slot.later)
    if (slot.kind === 'part') {
      const json = textAt(outcomes, slot.index)
      if (json) texts.push(json)
    } else {
      addMembers(texts, slot.slots, outcomes)
      if (texts.length > at + 1) texts.push(CLOSE)
    }
    // Nothing followed its name.
    if (texts.length === at + 1) texts.pop()
  }
}

type Pair = readonly [key: Json, json: Json]

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
      for (const [name, value] of membersOf(json))
        put(pairs, { name, pair: [encode(JSON.stringify(name)), value] }, onConflict)
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
