/** The mock upstream of KrakenD's specs, on a free port: what its README says it answers. */

/** Starts it; close it when the tests are done. */
export function krakendUpstream() {
  const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: answer })
  return { url: `http://127.0.0.1:${server.port}`, close: () => server.stop(true) }
}

const DELAY_MS = 200

/** KrakenD writes a lifetime of its own on every complete answer; here the upstream says it. */
const FIELDS = { 'cache-control': 'public, max-age=3600' }

async function answer(request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url)
  if (pathname.startsWith('/param_forwarding/')) return echo(request)
  if (pathname.startsWith('/delayed/')) {
    await Bun.sleep(DELAY_MS)
    return echo(request)
  }
  if (pathname.startsWith('/collection/')) {
    return Response.json(
      Array.from({ length: 10 }, (_, i) => ({ path: decodeURIComponent(pathname), i })),
      { headers: FIELDS },
    )
  }
  if (pathname === '/redirect/') {
    const location = `${new URL(request.url).origin}/param_forwarding/?status=${searchParams.get('status')}`
    return new Response(null, { status: Number(searchParams.get('status')), headers: { location } })
  }
  // KrakenD asks itself for this one.
  if (pathname.startsWith('/__debug/')) return Response.json({ message: 'pong' }, { headers: FIELDS })
  return new Response('404 page not found\n', { status: 404, headers: { 'content-type': 'text/plain; charset=utf-8' } })
}

async function echo(request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url)
  const text = await request.text()
  const headers = new Headers({ ...FIELDS, 'content-type': 'application/json' })
  for (const cookie of ['test1=test1', 'test2=test2']) headers.append('set-cookie', cookie)
  const echoed = {
    foo: 42,
    path: decodeURIComponent(pathname),
    query: Object.fromEntries([...new Set(searchParams.keys())].map((name) => [name, searchParams.getAll(name)])),
    headers: Object.fromEntries([...request.headers].map(([name, value]) => [canonical(name), [value]])),
    ...(searchParams.has('dump_body') && { body: text }),
  }
  return new Response(JSON.stringify(echoed), { headers })
}

/** As Go writes names of fields. */
function canonical(name: string): string {
  return name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())
}
