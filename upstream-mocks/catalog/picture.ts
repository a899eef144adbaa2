import type { Product } from './products.ts'

/** A product's picture as SVG, with `ETag`, 304 and single byte ranges (RFC 9110 §13, §14). */
export async function pictureOf(product: Product, requested: Headers): Promise<Response> {
  const bytes = new TextEncoder().encode(draw(product))
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  const etag = `"${digest.toHex().slice(0, 16)}"`
  const headers = { etag, 'cache-control': 'public, max-age=3600', 'accept-ranges': 'bytes' }
  if (matches(requested.get('if-none-match'), etag)) return new Response(null, { status: 304, headers })

  // The length is named because Hono answers HEAD with an empty copy of this response.
  const described = (length: number) => ({ ...headers, 'content-type': 'image/svg+xml', 'content-length': `${length}` })
  const range = parseRange(requested.get('range'), bytes.byteLength)
  if (range === 'unsatisfiable') {
    return new Response(null, { status: 416, headers: { ...headers, 'content-range': `bytes */${bytes.byteLength}` } })
  }
  if (!range) return new Response(bytes, { headers: described(bytes.byteLength) })
  const { first, last } = range
  return new Response(bytes.slice(first, last + 1), {
    status: 206,
    headers: { ...described(last - first + 1), 'content-range': `bytes ${first}-${last}/${bytes.byteLength}` },
  })
}

function matches(ifNoneMatch: string | null, etag: string): boolean {
  if (ifNoneMatch === null) return false
  return ifNoneMatch.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag)
}

type Range = { readonly first: number; readonly last: number }

/** One range only; several, or other units, get the whole picture, as RFC 9110 §14.2 allows. */
function parseRange(range: string | null, size: number): Range | 'unsatisfiable' | undefined {
  const [, from, to] = range?.match(/^bytes=(\d{0,9})-(\d{0,9})$/) ?? []
  if (from === undefined || to === undefined || (from === '' && to === '')) return undefined
  if (from === '') return Number(to) === 0 ? 'unsatisfiable' : { first: Math.max(0, size - Number(to)), last: size - 1 }
  const first = Number(from)
  if (to !== '' && Number(to) < first) return undefined
  if (first >= size) return 'unsatisfiable'
  return { first, last: to === '' ? size - 1 : Math.min(Number(to), size - 1) }
}

function draw({ sku, name, brand }: Product): string {
  const hue = [...sku].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 360, 7)
  return `<svg xmlns="http://www.w3.org/2000/svg" width="320" height="240" viewBox="0 0 320 240" role="img">
  <title>${escapeXml(name)}</title>
  <rect width="320" height="240" fill="hsl(${hue} 45% 88%)"/>
  <circle cx="160" cy="96" r="56" fill="hsl(${hue} 50% 62%)"/>
  <text x="160" y="190" font-family="sans-serif" font-size="20" text-anchor="middle">${escapeXml(name)}</text>
  <text x="160" y="216" font-family="sans-serif" font-size="13" text-anchor="middle">${escapeXml(brand)} · ${sku}</text>
</svg>
`
}

function escapeXml(text: string): string {
  return text.replace(/[<>&"']/g, (character) => `&#${character.codePointAt(0)};`)
}
