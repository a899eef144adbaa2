/**
 * What an engineer writes who needs one page of several services today: `Promise.all` around `fetch`. It checks nothing,
 * bounds nothing and logs nothing. Takes PORT and UPSTREAM from the environment; `/page/4` asks for four parts.
 */
const { PORT, UPSTREAM } = process.env

async function part(number: number): Promise<[string, unknown]> {
  const response = await fetch(`${UPSTREAM}/part/${number}`)
  if (!response.ok) throw new Error(`Part ${number} answers ${response.status}`)
  return [`part-${number}`, await response.json()]
}

Bun.serve({
  hostname: '127.0.0.1',
  port: Number(PORT),
  async fetch({ url }) {
    const count = Number(url.slice(url.lastIndexOf('/') + 1))
    if (!(count > 0)) return new Response('ready')
    const parts = await Promise.all(Array.from({ length: count }, (_, i) => part(i + 1)))
    return Response.json(Object.fromEntries(parts))
  },
})
