import { fileURLToPath } from 'node:url'
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

/** The portable tests, unchanged, on Node and inside workerd. What needs a runtime of its own is tested by Bun alone. */
const alias = { 'bun:test': fileURLToPath(new URL('./tests/support/bun-test.ts', import.meta.url)) }
const include = ['{gateway,policies}/**/*.test.ts', 'tests/contracts/**/*.test.ts']
const exclude = ['**/node_modules/**', 'gateway/runtimes/**', '**/*.bun.test.ts']

/** Tests keep nothing in modules, so that one worker may run every file: starting workers would take most of the time. */
const shared = { include, exclude, isolate: false }

export default defineConfig({
  test: {
    projects: [
      {
        resolve: { alias },
        // What the suite has to find itself running on; see tests/contracts/runtime.test.ts.
        define: { 'globalThis.EXPECTED_RUNTIME': JSON.stringify('Node.js') },
        test: { ...shared, name: 'node' },
      },
      {
        // With the compatibility date and flags of the Worker itself.
        plugins: [cloudflareTest({ wrangler: { configPath: './wrangler.toml' } })],
        resolve: { alias },
        define: { 'globalThis.EXPECTED_RUNTIME': JSON.stringify('Cloudflare-Workers') },
        test: { ...shared, name: 'workerd' },
      },
    ],
  },
})
