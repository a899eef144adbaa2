/** What our tests may use of `bun:test`, from Vitest: the alias that lets one suite run on Node and workerd. */
export { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
