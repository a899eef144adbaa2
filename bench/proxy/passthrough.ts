/** The least that proxies: what of the gateway's cost is Bun's own. Takes PORT and UPSTREAM from the environment. */
Bun.serve({
  hostname: '127.0.0.1',
  port: Number(process.env.PORT),
  fetch({ url, method, headers, body }) {
    const target = `${process.env.UPSTREAM}${url.slice(url.indexOf('/', 'http://'.length))}`
    return fetch(target, { method, headers, body, redirect: 'manual', decompress: false })
  },
})
