import { fileURLToPath } from 'node:url'
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

/** The portable tests, unchanged, on Node and inside workerd. What needs a runtime of its own is tested by Bun alone. */
const alias = { 'bun:test': fileURLToPath(new URL('./tests/support/bun-test.ts', import.meta.url)) }
const include = ['{gateway,policies}/**/*.test.ts', 'tests/contracts/**/*.test.ts', 'tests/portable/**/*.test.ts']
const exclude = ['**/node_modules/**', 'gateway/runtimes/bun/**', '**/*.bun.test.ts']

export default defineConfig({
  test: {
    projects: [
      { resolve: { alias }, test: { name: 'node', include, exclude } },
      {
        plugins: [
          cloudflareTest({ miniflare: { compatibilityDate: '2026-09-01', compatibilityFlags: ['nodejs_compat'] } }),
        ],
        resolve: { alias },
        test: { name: 'workerd', include, exclude },
      },
    ],
  },
})
