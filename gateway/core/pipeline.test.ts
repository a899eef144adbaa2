import { describe, expect, test } from 'bun:test'
import { type Middleware, pipeline } from './pipeline.ts'

interface Context {
  readonly name: string
  readonly seen: string[]
}

const named =
  (name: string): Middleware<Context> =>
  async (context, next) => {
    context.seen.push(`>${name}`)
    const response = await next()
    context.seen.push(`<${name}`)
    return response
  }

const terminal = async ({ name, seen }: Context) => {
  seen.push(name)
  return new Response(name)
}

const boom: Middleware<Context> = async () => {
  throw new Error('boom')
}

describe('a pipeline', () => {
  test('runs its layers outermost first and back again', async () => {
    const seen: string[] = []
    await pipeline([named('a'), named('b')], terminal)({ name: 'end', seen })
    expect(seen).toEqual(['>a', '>b', 'end', '<b', '<a'])
  })

  test('gives inner layers what an outer one changes, and outer ones what was there before', async () => {
    const context: Context = { name: 'end', seen: [] }
    const rename: Middleware<Context> = async (own, next) => {
      const response = await next({ name: 'renamed' })
      own.seen.push(own.name)
      return response
    }
    expect(await (await pipeline([rename], terminal)(context)).text()).toBe('renamed')
    expect(context.seen).toEqual(['renamed', 'end'])
    expect(context.name).toBe('end')
  })

  test('lets a layer run the rest again, or not at all', async () => {
    const seen: string[] = []
    const twice: Middleware<Context> = async (_context, next) => {
      await next()
      return next()
    }
    await pipeline([twice, named('a')], terminal)({ name: 'end', seen })
    expect(seen).toEqual(['>a', 'end', '<a', '>a', 'end', '<a'])
    const short: Middleware<Context> = async () => new Response('short')
    expect(await (await pipeline([short, boom], terminal)({ name: 'end', seen: [] })).text()).toBe('short')
  })

  test('lets outer layers see what inner ones throw', async () => {
    const catching: Middleware<Context> = async (_context, next) =>
      next().catch((error: Error) => new Response(error.message))
    expect(await (await pipeline([catching, boom], terminal)({ name: 'end', seen: [] })).text()).toBe('boom')
    await expect(pipeline([boom], terminal)({ name: 'end', seen: [] })).rejects.toThrow('boom')
  })

  test('turns a throw into a response where it happens, so that the layers outside do their work', async () => {
    const seen: string[] = []
    const recover = (error: unknown) => new Response((error as Error).message, { status: 500 })
    const response = await pipeline([named('a'), boom, named('b')], terminal, recover)({ name: 'end', seen })
    expect([response.status, await response.text()]).toEqual([500, 'boom'])
    expect(seen).toEqual(['>a', '<a'])
  })

  test('recovers from what the end throws, and leaves what the outermost throws to its caller', async () => {
    const recover = (error: unknown) => new Response((error as Error).message)
    const broken = () => {
      throw new Error('end')
    }
    expect(await (await pipeline([named('a')], broken, recover)({ name: '', seen: [] })).text()).toBe('end')
    await expect(pipeline([boom], terminal, recover)({ name: '', seen: [] })).rejects.toThrow('boom')
    expect(() => pipeline([], broken, recover)({ name: '', seen: [] })).toThrow('end')
  })
})
