import type { OptionMistake } from '../../../gateway/core/policy.ts'
import type { AggregateOptions, PartOptions } from '../options.ts'
import { inputsOf, type Located, partRead, referencesIn } from './readings.ts'

/** Options of the whole answer that change nothing, contradict each other or name what is not there. */
export function answerMistakes(settings: AggregateOptions): OptionMistake[] {
  return [
    ...bodyMistakes(settings),
    ...transformMistakes(settings),
    ...hiddenMistakes(settings),
    ...conflictMistakes(settings),
  ]
}

const OF_THE_LAYOUT = ['take', 'pick', 'omit', 'rename', 'transform', 'spread', 'group', 'hidden'] as const

function isUsed(part: PartOptions, key: (typeof OF_THE_LAYOUT)[number]): boolean {
  return part[key] !== undefined && part[key] !== false
}

function bodyMistakes({ body, transform, parts, static: fixed }: AggregateOptions): OptionMistake[] {
  if (body === undefined) return []
  const message = 'is never used: "body" is the whole answer; read what you need of the part there'
  const layout = Object.entries(parts).flatMap(([name, part]) =>
    OF_THE_LAYOUT.filter((key) => isUsed(part, key)).map((key) => ({ path: ['parts', name, key], message })),
  )
  const hasFixed = Object.values(fixed).some((members) => Object.keys(members).length > 0)
  return [
    ...layout,
    ...(transform ? [{ path: ['transform'], message: 'is never used: "body" is the whole answer' }] : []),
    ...(hasFixed ? [{ path: ['static'], message: 'is never used: "body" is the whole answer; write it there' }] : []),
    ...[...referencesIn(body, ['body'])].flatMap((found) => readingMistake(found, parts)),
  ]
}

function readingMistake({ reference, path }: Located, parts: AggregateOptions['parts']): OptionMistake[] {
  const { root, source } = reference
  if (root === 'item' || root === 'index' || root === 'keys') {
    return [{ path, message: `"${source}" has no value here: only a part with "for-each" has items` }]
  }
  const name = partRead(reference)
  if (name === undefined) return []
  const part = Object.hasOwn(parts, name) ? parts[name] : undefined
  if (!part) {
    const candidates = Object.keys(parts)
    return [{ path, message: `unknown part "${name}" in "${source}"`, found: name, candidates }]
  }
  if (part['for-each'] && reference.path[1] !== 'body') {
    return [
      { path, message: `"${source}" has no value: "${name}" is many replies, of which only the body can be read` },
    ]
  }
  return []
}

/** A misspelt part would silently be nothing: JSONata knows no missing name. */
function transformMistakes({ transform, parts }: AggregateOptions): OptionMistake[] {
  const candidates = Object.keys(parts)
  const unknown = (transform?.parts ?? []).filter(({ name }) => !Object.hasOwn(parts, name))
  return unknown.map(({ name, place }) => ({
    path: ['transform'],
    message: `${place}unknown part "${name}" in "$parts.${name}"`,
    found: name,
    candidates,
  }))
}

/** A part that decides (`required`) or writes has its use without being read. */
function hiddenMistakes({ parts, body, transform }: AggregateOptions): OptionMistake[] {
  if (body !== undefined || transform?.given.has('parts')) return []
  const all = Object.values(parts)
  const read = new Set(all.flatMap(inputsOf))
  // One that does not exist may be any of them, misspelt.
  const isAllKnown = [...read].every((name) => Object.hasOwn(parts, name))
  if (all.every(({ hidden }) => hidden)) {
    return [{ path: ['parts'], message: 'expected a part that is shown: the answer would always be empty' }]
  }
  return Object.entries(parts).flatMap(([name, part]) => {
    const at = ['parts', name]
    if (!part.hidden) return []
    const unused = OF_THE_LAYOUT.filter((key) => key !== 'hidden' && isUsed(part, key))
    const isIdle = isAllKnown && part.method === 'GET' && !part.required && !read.has(name)
    return [
      ...unused.map((key) => ({ path: [...at, key], message: 'is never used: the part is hidden' })),
      ...(isIdle
        ? [
            {
              path: [...at, 'hidden'],
              message:
                'leaves nothing of the part: no other part reads it; remove "hidden", or make the part "required" if it is to decide',
            },
          ]
        : []),
    ]
  })
}

/** Names that can be seen to collide without asking anybody. */
function conflictMistakes(settings: AggregateOptions): OptionMistake[] {
  const { parts, static: fixed } = settings
  const shown = Object.entries(parts).filter(([, { hidden }]) => !hidden)
  const named = (group: string | undefined) =>
    shown.filter(([, part]) => part.group === group && !part.spread).map(([name]) => name)
  const top = new Set(named(undefined))
  const groups = new Set(shown.flatMap(([, { group }]) => group ?? []))
  const mistakes: OptionMistake[] = shown
    .filter(([, { group }]) => group !== undefined && top.has(group))
    .map(([name, { group }]) => ({ path: ['parts', name, 'group'], message: `is the name of a part too: "${group}"` }))
  for (const [when, members] of Object.entries(fixed)) {
    for (const member of Object.keys(members)) {
      const owner = top.has(member)
        ? `the part "${member}"`
        : groups.has(member)
          ? `the group "${member}"`
          : when !== 'always' && Object.hasOwn(fixed.always, member)
            ? '"static.always"'
            : undefined
      if (owner !== undefined) mistakes.push({ path: ['static', when, member], message: standsTwice(member, owner) })
    }
  }
  if (shown.every(([, { spread }]) => !spread)) {
    return settings['on-conflict'] === 'error'
      ? mistakes
      : [...mistakes, { path: ['on-conflict'], message: 'is never used: no part has "spread"' }]
  }
  return settings['on-conflict'] === 'error' ? [...mistakes, ...spreadMistakes(settings, named, groups)] : mistakes
}

function standsTwice(member: string, owner: string): string {
  return `"${member}" would stand twice in the answer: ${owner} has it too`
}

function spreadMistakes(
  { parts, static: fixed }: AggregateOptions,
  named: (group: string | undefined) => readonly string[],
  groups: ReadonlySet<string>,
): OptionMistake[] {
  const taken = new Map<string, Map<string, string>>()
  return Object.entries(parts).flatMap(([name, part]) => {
    if (!part.spread || part.hidden) return []
    const place = part.group ?? ''
    const owners = taken.get(place) ?? new Map(named(part.group).map((own) => [own, `the part "${own}"`]))
    if (part.group === undefined && !taken.has(place)) {
      for (const group of groups) owners.set(group, `the group "${group}"`)
      for (const members of Object.values(fixed)) for (const own of Object.keys(members)) owners.set(own, '"static"')
    }
    taken.set(place, owners)
    const known = knownNames(part)
    const mistakes = known.flatMap(({ member, path }) => {
      const owner = owners.get(member)
      return owner === undefined
        ? []
        : [
            {
              path: ['parts', name, ...path],
              message: standsTwice(member, owner),
            },
          ]
    })
    for (const { member } of known) if (!owners.has(member)) owners.set(member, `the part "${name}"`)
    return mistakes
  })
}

/** Members that a part has by its options, whatever is replied: those it picks, by their new names, and its fallback's. */
function knownNames({ pick = [], rename = {}, fallback }: PartOptions) {
  const picked = pick.map(([first = ''], i) => ({
    member: (Object.hasOwn(rename, first) ? rename[first] : undefined) ?? first,
    path: ['pick', i] as readonly (string | number)[],
  }))
  const body = fallback?.body
  const stood = typeof body === 'object' && body !== null ? Object.keys(body) : []
  const once = new Map(picked.map((each) => [each.member, each]))
  return [
    ...once.values(),
    ...stood.filter((member) => !once.has(member)).map((member) => ({ member, path: ['fallback', member] })),
  ]
}
