/**
 * What an engineer writes who books three things today: one `fetch` after the other. It undoes nothing, notes nothing and
 * bounds nothing. Takes PORT and UPSTREAM from the environment.
 */
const { PORT, UPSTREAM } = process.env

async function book(part: number, body: unknown, key: string | null): Promise<[string, unknown]> {
  const response = await fetch(`${UPSTREAM}/bookings/${part}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': `${key} ${part}` },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`Booking ${part} answers ${response.status}`)
  return [`part-${part}`, await response.json()]
}

Bun.serve({
  hostname: '127.0.0.1',
  port: Number(PORT),
  async fetch(request) {
    if (request.method !== 'POST') return new Response('ready')
    const { items } = (await request.json()) as { readonly items?: unknown }
    const key = request.headers.get('idempotency-key')
    const booked = []
    for (const part of [1, 2, 3]) booked.push(await book(part, { items }, key))
    return Response.json(Object.fromEntries(booked))
  },
})

export {}
