import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Checks that every relative link of the Markdown pages leads to a file or folder, and every anchor to a heading. */

export interface DeadLink {
  readonly file: string
  /** From 1. */
  readonly line: number
  readonly link: string
  readonly because: string
}

/** Folders that are not the repository's own; hidden ones are left out too. */
const FOREIGN = new Set(['node_modules'])

/** Every relative link under `root` that leads nowhere, by file and line. */
export function findDeadLinks(root: string): DeadLink[] {
  const anchors = new Map<string, ReadonlySet<string>>()
  const anchorsOf = (page: string): ReadonlySet<string> => {
    const known = anchors.get(page) ?? anchorsIn(readFileSync(join(root, page), 'utf8'))
    anchors.set(page, known)
    return known
  }
  return pages(root, '').flatMap((file) =>
    linksIn(readFileSync(join(root, file), 'utf8')).flatMap(({ link, line }) => {
      const because = refusal(root, file, link, anchorsOf)
      return because === undefined ? [] : [{ file, line, link, because }]
    }),
  )
}

function pages(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter(({ name }) => !name.startsWith('.') && !FOREIGN.has(name))
    .flatMap((entry) => {
      const path = posix.join(folder, entry.name)
      if (entry.isDirectory()) return pages(root, path)
      return entry.name.endsWith('.md') ? [path] : []
    })
    .sort()
}

function refusal(
  root: string,
  file: string,
  link: string,
  anchorsOf: (page: string) => ReadonlySet<string>,
): string | undefined {
  const [written = '', anchor] = link.split('#', 2)
  const path = written === '' ? file : posix.join(posix.dirname(file), decodeURI(written))
  if (path.startsWith('..') || written.startsWith('/')) return 'it leads out of the repository'
  if (!existsSync(join(root, path))) return `there is no ${path}`
  if (anchor === undefined) return undefined
  if (statSync(join(root, path)).isDirectory() || !path.endsWith('.md')) {
    return /^L\d+(?:-L\d+)?$/.test(anchor) ? undefined : `${path} has no headings`
  }
  return anchorsOf(path).has(decodeURI(anchor)) ? undefined : `${path} has no heading "#${anchor}"`
}

/** `[text](target "title")`, images too, and `[name]: target`. Targets with a scheme are somebody else's. */
const INLINE = /\]\(\s*<?([^\s)>]+)>?(?:\s+"[^"]*")?\s*\)/g
const DEFINITION = /^ {0,3}\[[^\]]+\]:\s*<?(\S+?)>?(?:\s|$)/g
const ELSEWHERE = /^(?:[a-z][a-z0-9+.-]*:|\/\/)/i

function linksIn(text: string): { link: string; line: number }[] {
  return proseOf(text).flatMap((content, i) => {
    const shown = content.replace(/(`+)(?:(?!\1).)+?\1/g, '')
    return [...shown.matchAll(INLINE), ...shown.matchAll(DEFINITION)]
      .map(([, link = '']) => ({ link, line: i + 1 }))
      .filter(({ link }) => !ELSEWHERE.test(link))
  })
}

/** The lines of a page, with those inside code fences empty. */
function proseOf(text: string): string[] {
  let fence: string | undefined
  return text.split('\n').map((line) => {
    const [, mark] = /^\s*(`{3,}|~{3,})/.exec(line) ?? []
    if (fence === undefined) {
      fence = mark
      return mark === undefined ? line : ''
    }
    if (mark?.startsWith(fence) && line.trim() === mark) fence = undefined
    return ''
  })
}

/** The names GitHub gives to the headings of a page, and those given by hand with `id` or `name`. */
function anchorsIn(text: string): ReadonlySet<string> {
  const found = new Set<string>()
  const seen = new Map<string, number>()
  for (const line of proseOf(text)) {
    for (const [, id = ''] of line.matchAll(/<[a-z][^>]*\s(?:id|name)="([^"]+)"/g)) found.add(id)
    const [, heading] = /^ {0,3}#{1,6}\s+(.*?)(?:\s+#+)?\s*$/.exec(line) ?? []
    if (heading === undefined) continue
    const name = slugOf(heading)
    const before = seen.get(name) ?? 0
    seen.set(name, before + 1)
    found.add(before === 0 ? name : `${name}-${before}`)
  }
  return found
}

/** Lower case, spaces as hyphens, without punctuation; what a heading links to is no part of it. */
function slugOf(heading: string): string {
  return heading
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc} -]/gu, '')
    .replaceAll(' ', '-')
}

if (import.meta.main) {
  const dead = findDeadLinks(fileURLToPath(new URL('..', import.meta.url)))
  for (const { file, line, link, because } of dead)
    console.error(`${file}:${line}  (${link}) is a dead link: ${because}`)
  process.exitCode = dead.length === 0 ? 0 : 1
}
