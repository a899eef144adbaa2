import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findDeadLinks } from './check-links.ts'

let root: string

const SOUND = `# The Page
[a file](docs/page.md) [a folder](docs/) [up](docs/../README.md) ![picture](docs/a.svg "A title")
[here](#the-page) [there](docs/page.md#what-it-is-a-list) [twice](docs/page.md#again-1) [a line](docs/a.svg#L3)
[by hand](docs/page.md#by-hand) [code](docs/page.md#services-in-services_)
[elsewhere](https://example.test/none.md#x) [mail](mailto:a@b.test) [by name][name] \`[no](link.md)\`

\`\`\`md
[an example](nowhere.md)
\`\`\`

[name]: docs/page.md
`

const PAGE = `## What it is: a list!
## Again
## Again
## \`services\` in [services_](a.svg)
<a id="by-hand"></a>
`

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'sluice-links-'))
  mkdirSync(join(root, 'docs'))
  mkdirSync(join(root, 'node_modules'))
  writeFileSync(join(root, 'README.md'), SOUND)
  writeFileSync(join(root, 'docs/page.md'), PAGE)
  writeFileSync(join(root, 'docs/a.svg'), '<svg/>')
  writeFileSync(join(root, 'node_modules/theirs.md'), '[x](nowhere.md)')
})

afterAll(() => {
  rmSync(root, { recursive: true })
})

/** What is told of a page that holds `text`. */
function told(text: string): string[] {
  writeFileSync(join(root, 'docs/planted.md'), text)
  try {
    return findDeadLinks(root).map(({ file, line, link, because }) => `${file}:${line} ${link}: ${because}`)
  } finally {
    rmSync(join(root, 'docs/planted.md'))
  }
}

describe('check-links', () => {
  test('finds nothing in a page whose links all lead somewhere', () => {
    expect(findDeadLinks(root)).toEqual([])
  })

  test.each([
    ['[x](pgae.md)', 'docs/planted.md:1 pgae.md: there is no docs/pgae.md'],
    ['\n\n![x](b.svg)', 'docs/planted.md:3 b.svg: there is no docs/b.svg'],
    ['[x](#none)', 'docs/planted.md:1 #none: docs/planted.md has no heading "#none"'],
    ['[x](page.md#again-2)', 'docs/planted.md:1 page.md#again-2: docs/page.md has no heading "#again-2"'],
    ['[x](page.md#Again)', 'docs/planted.md:1 page.md#Again: docs/page.md has no heading "#Again"'],
    ['[x](a.svg#again)', 'docs/planted.md:1 a.svg#again: docs/a.svg has no headings'],
    ['[x](../../else.md)', 'docs/planted.md:1 ../../else.md: it leads out of the repository'],
    ['[x](/docs/page.md)', 'docs/planted.md:1 /docs/page.md: it leads out of the repository'],
    ['[x][y]\n\n[y]: none.md', 'docs/planted.md:3 none.md: there is no docs/none.md'],
    ['```\n# Fenced\n```\n[x](#fenced)', 'docs/planted.md:4 #fenced: docs/planted.md has no heading "#fenced"'],
    ['| a `b` | [x](none.md) `c` |', 'docs/planted.md:1 none.md: there is no docs/none.md'],
  ])('tells of a dead link in %j', (text, expected) => {
    expect(told(text)).toEqual([expected])
  })
})
