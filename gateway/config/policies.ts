import { type Key, principal } from '../core/keys.ts'
import type { OptionMistake, Policy, RoutePolicy, Site } from '../core/policy.ts'
import { isLocalRoot, type Reference } from '../core/reference.ts'
import { Template } from '../core/template.ts'
import { show } from './fields.ts'
import { check, type DataMistake } from './issues.ts'
import { didYouMean, type Path } from './mistake.ts'
import type { Mount } from './plan.ts'
import { type RightValues, rightValues } from './right-values.ts'

/** What a list of policies is read against. */
export interface PolicyNames {
  readonly registry: ReadonlyMap<string, Policy>
  /** Named lists of the file, raw. */
  readonly lists: Readonly<Record<string, unknown>>
}

export interface MountedList {
  readonly mounts: readonly Mount[]
  readonly mistakes: readonly DataMistake[]
}

interface Entry {
  readonly path: Path
  /** The entry of the route or upstream it came from: its own place, unless a named list brought it. */
  readonly usedAt: Path
  readonly name: string
  readonly options: unknown
}

/** Resolves one policy list: names, options, levels, order. `where` is the site without the policy's own name. */
export function mountList(raw: unknown, path: Path, level: Policy['at'], where: Site, names: PolicyNames): MountedList {
  const mistakes: DataMistake[] = []
  const mounts: Mount[] = []
  const provided = new Set<Key<unknown>>()
  const seen = new Map<string, number>()
  let ended: string | undefined
  const followers: RoutePolicy[] = []

  for (const entry of expand(raw, path, names, mistakes)) {
    const policy = names.registry.get(entry.name)
    if (!policy) {
      const known = [...names.registry.keys(), ...Object.keys(names.lists)]
      mistakes.push({ path: entry.path, message: `unknown policy "${entry.name}"${didYouMean(entry.name, known)}` })
      continue
    }
    if (ended !== undefined) {
      mistakes.push({ path: entry.usedAt, message: `"${entry.name}" never runs: "${ended}" before it ends the chain` })
    }
    if (policy.at !== level) {
      const place = policy.at === 'route' ? 'routes.<name>.policies' : 'upstreams.<name>.policies'
      mistakes.push({
        path: entry.usedAt,
        message: `"${policy.name}" works around ${policy.at === 'route' ? 'a whole route' : 'single upstream calls'}: move it to ${place}`,
      })
      continue
    }
    const count = (seen.get(policy.name) ?? 0) + 1
    seen.set(policy.name, count)
    const site: Site = { ...where, path: `${where.path}.${policy.name}${count > 1 ? `#${count}` : ''}` }
    const optionsPath = [...entry.path, entry.name]
    const parsed = check(policy.options, entry.options ?? {}, optionsPath)
    mistakes.push(...parsed.mistakes)
    if (policy.at === 'route' && policy.ends) ended = policy.name
    if (policy.at === 'route') {
      mistakes.push(...overtaken(policy, followers, provided, entry.usedAt))
      followers.push(policy)
      for (const key of policy.provides ?? []) provided.add(key)
    }
    const { meant, meantValue } = parsed
    const right = meantValue === undefined ? rightValues(policy.options, meant) : { value: meantValue, without: [] }
    const beyond = right ? siteMistakes(policy, right, site, optionsPath) : []
    mistakes.push(...beyond.map((one) => ({ ...one, path: parsed.written(one.path) })))
    if (policy.at === 'route' && right) {
      const needs = new Set(right.without.length === 0 ? policy.needs?.(right.value) : [])
      if (rendersCaller(right.value)) needs.add(principal)
      mistakes.push(...unmetNeeds([...needs], provided, policy, entry.usedAt))
    }
    if (parsed.mistakes.length > 0) continue
    mounts.push({
      policy,
      options: parsed.value,
      optionsPath,
      site,
      readsBody: [...references(parsed.value)].some(({ found }) => found.root === 'body'),
    })
  }
  return { mounts, mistakes }
}

/** Written entries with named lists put in their place. */
function* expand(
  raw: unknown,
  path: Path,
  names: PolicyNames,
  mistakes: DataMistake[],
  usedAt?: Path,
): Generator<Entry> {
  if (!Array.isArray(raw)) return
  for (const [i, item] of raw.entries()) {
    const at = [...path, i]
    if (typeof item === 'string') {
      if (!Object.hasOwn(names.lists, item)) yield { path: at, usedAt: usedAt ?? at, name: item, options: undefined }
      else if (usedAt !== undefined || path[0] === 'policies')
        mistakes.push({ path: at, message: `"${item}" is a named list: lists cannot hold lists` })
      else yield* expand(names.lists[item], ['policies', item], names, mistakes, at)
      continue
    }
    const keys = item !== null && typeof item === 'object' && !Array.isArray(item) ? Object.keys(item) : []
    const [name] = keys
    if (name === undefined || keys.length > 1) {
      mistakes.push({
        path: at,
        message: `expected a policy's name, or its name with options as in "- timeout: 1s", found ${show(item)}`,
      })
      continue
    }
    if (Object.hasOwn(names.lists, name) && !names.registry.has(name)) {
      mistakes.push({
        path: [...at, name],
        message: `"${name}" is a named list and takes no options: write "- ${name}"`,
        atKey: true,
      })
      continue
    }
    yield { path: at, usedAt: usedAt ?? at, name, options: (item as Record<string, unknown>)[name] ?? {} }
  }
}

/** Policies that ran before `policy` although they build on what it establishes. */
function overtaken(
  policy: RoutePolicy,
  earlier: readonly RoutePolicy[],
  provided: ReadonlySet<Key<unknown>>,
  path: Path,
): DataMistake[] {
  const added = (policy.provides ?? []).filter((key) => !provided.has(key))
  return earlier
    .filter(({ follows = [] }) => follows.some((key) => added.includes(key)))
    .map(({ name }) => ({
      path,
      message: `"${policy.name}" stands inside "${name}": put it before, so that "${name}" knows the caller`,
    }))
}

function unmetNeeds(
  needs: readonly Key<unknown>[],
  provided: ReadonlySet<Key<unknown>>,
  policy: Policy,
  path: Path,
): DataMistake[] {
  return needs
    .filter((key) => !provided.has(key))
    .map((key) => ({
      path,
      message: `"${policy.name}" needs the ${key.name} from an earlier policy${key === principal ? ': put "jwt" or "api-key" before it' : ''}`,
    }))
}

function siteMistakes(
  policy: Policy,
  { value: options, without }: RightValues<unknown>,
  site: Site,
  path: Path,
): DataMistake[] {
  const own: readonly OptionMistake[] = policy.check?.(options, site) ?? []
  const mistakes = own
    .filter((one, i) => isSure(one, without) && !own.slice(0, i).some((other) => isSameName(other, one)))
    .map(({ path: inner, message, found, candidates }) => ({
      path: [...path, ...inner],
      message: message + (found === undefined ? '' : didYouMean(found, candidates ?? [])),
    }))
  for (const { found, path: inner } of references(options)) {
    const message = referenceMistake(found, policy, site)
    if (message !== undefined) mistakes.push({ path: [...path, ...inner], message })
  }
  return mistakes
}

/** Whether it is a mistake whatever may be meant by the values that were left out. */
function isSure({ path, found, within = [] }: OptionMistake, without: readonly Path[]): boolean {
  const of = found === undefined ? within : path
  return !without.some((wrong) => leadsTo(wrong, of) || leadsTo(of, wrong) || wrong.at(-1) === found)
}

/** A name that stands twice in one value is mended in one go. */
function isSameName(one: OptionMistake, other: OptionMistake): boolean {
  return one.found !== undefined && one.found === other.found && isSamePath(one.path, other.path)
}

function isSamePath(one: Path, other: Path): boolean {
  return one.length === other.length && leadsTo(one, other)
}

function leadsTo(outer: Path, inner: Path): boolean {
  return outer.length <= inner.length && outer.every((step, i) => step === inner[i])
}

function referenceMistake(reference: Reference, policy: Policy, site: Site): string | undefined {
  const { root, path, source } = reference
  if (isLocalRoot(root) && !policy.reads?.includes(root)) {
    return `"${source}" has no value here: "${policy.name}" has no ${root}`
  }
  if (root === 'body' && policy.at === 'upstream')
    return `"${source}" has no value here: upstream policies do not see the request body`
  if (root !== 'params' || !site.params) return undefined
  const [name = ''] = path
  if (site.params.includes(name)) return undefined
  return `unknown parameter "${name}" in "${source}": the path of ${site.owner} has ${site.params.join(', ') || 'none'}${didYouMean(name, site.params)}`
}

/** True when a template would render the caller; without one it would silently render nothing. */
function rendersCaller(options: unknown): boolean {
  return [...references(options)].some(
    ({ found, inTemplate }) => inTemplate && (found.root === 'claims' || found.source === 'client.id'),
  )
}

/** Every reference in parsed options, with the path that leads to it. */
export function* references(
  value: unknown,
  path: Path = [],
): Generator<{ found: Reference; path: Path; inTemplate: boolean }> {
  if (value instanceof Template) {
    for (const found of value.references) yield { found, path, inTemplate: true }
  } else if (isReference(value)) {
    yield { found: value, path, inTemplate: false }
  } else if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) yield* references(item, [...path, i])
  } else if (value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    for (const [key, item] of Object.entries(value)) yield* references(item, [...path, key])
  }
}

function isReference(value: unknown): value is Reference {
  return (
    typeof value === 'object' &&
    value !== null &&
    'root' in value &&
    'source' in value &&
    'read' in value &&
    typeof value.read === 'function'
  )
}
