import { describe, expect, test } from 'bun:test'
import { bodyOf, discard, fieldsOf, isWhole, noteWhole, ReadReply, toResponse, wholeBody } from './read-reply.ts'

const HELLO = new TextEncoder().encode('hello')

function fields(given: Record<string, string>) {
  const headers = new Headers(given)
  return Object.assign(new Headers(given), { toHeaders: () => headers })
}

const read = (content: ReadReply['content'], status = 200) =>
  new ReadReply({ status, reason: 'Fine', fields: fields({ 'x-a': '1' }) }, content)

describe('a reply that was read', () => {
  test('becomes a response with all there is of it, and the body is still known', async () => {
    const response = toResponse(read(HELLO, 201))
    expect(response).toBeInstanceOf(Response)
    expect([response.status, response.statusText, response.headers.get('x-a')]).toEqual([201, 'Fine', '1'])
    expect(wholeBody(response)).toBe(HELLO)
    expect(await response.text()).toBe('hello')
  })

  test('is known to be whole as a response, too, unless more of it is to come', () => {
    const known = (content: ReadReply['content'], status?: number) => isWhole(toResponse(read(content, status)))
    expect([known(HELLO), known(null, 204), known(new ReadableStream())]).toEqual([true, true, false])
  })

  test('has its body at once when it is whole, and as a stream', async () => {
    expect(wholeBody(read(HELLO))).toBe(HELLO)
    expect(await new Response(bodyOf(read(HELLO))).text()).toBe('hello')
  })

  test('has no body to read before it is whole, nor where there is none', () => {
    const stream = new ReadableStream<Uint8Array>()
    expect(wholeBody(read(stream))).toBeUndefined()
    expect(bodyOf(read(stream))).toBe(stream)
    expect(wholeBody(toResponse(read(stream)))).toBeUndefined()
    expect(bodyOf(read(null, 204))).toBeNull()
    expect(toResponse(read(null, 204)).body).toBeNull()
  })

  test('gives its connection back when nobody wants the body', async () => {
    const cancelled: unknown[] = []
    discard(read(new ReadableStream<Uint8Array>({ cancel: () => void cancelled.push('read') })))
    discard(new Response(new ReadableStream<Uint8Array>({ cancel: () => void cancelled.push('response') })))
    discard(read(HELLO))
    discard(read(null, 204))
    await Promise.resolve()
    expect(cancelled).toEqual(['read', 'response'])
  })
})

test('a response is used as it is', () => {
  const response = new Response('hello', { headers: { 'x-a': '1' } })
  expect(toResponse(response)).toBe(response)
  expect(fieldsOf(response)).toBe(response.headers)
  expect(bodyOf(response)).toBe(response.body)
  expect(wholeBody(response)).toBeUndefined()
})

test('a response is known to be whole when that was noted, with its bytes if they were', () => {
  expect(isWhole(new Response('hello'))).toBe(false)
  const plain = new Response('hello')
  expect(noteWhole(plain)).toBe(plain)
  expect([isWhole(plain), wholeBody(plain)]).toEqual([true, undefined])
  const bytes = noteWhole(new Response(HELLO), HELLO)
  expect([isWhole(bytes), wholeBody(bytes)]).toEqual([true, HELLO])
  expect(isWhole(new Response(bytes.body, bytes))).toBe(false)
})
