/**
 * An upstream whose parts take 5 to 20 ms, and which says in the reply how long it took. Takes PORT from the environment.
 */
const SHORTEST_MS = 5
const STEP_MS = 5
const DIFFERENT = 4

Bun.serve({
  hostname: '127.0.0.1',
  port: Number(process.env.PORT),
  async fetch({ url }) {
    const startedAt = performance.now()
    const number = Number(url.slice(url.lastIndexOf('/') + 1)) || 0
    await Bun.sleep(SHORTEST_MS + STEP_MS * (number % DIFFERENT))
    return Response.json({ number, name: 'Enamel mug', tookMs: performance.now() - startedAt })
  },
})
