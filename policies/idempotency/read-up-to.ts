import { Gathered } from '../../gateway/core/gathered.ts'

/** The whole body, or the same body as a stream when it is larger than was asked for. */
export type ReadBody =
  | { readonly whole: Uint8Array<ArrayBuffer> }
  | { readonly whole: undefined; readonly stream: ReadableStream<Uint8Array> }

/** Reads a body into memory as long as it has at most `limitBytes`; a larger one goes on as a stream, from its start. */
export async function readUpTo(body: ReadableStream<Uint8Array> | null, limitBytes: number): Promise<ReadBody> {
  if (!body) return { whole: new Uint8Array() }
  const reader = body.getReader()
  const gathered = new Gathered()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return { whole: gathered.whole() }
    gathered.add(value)
    if (gathered.size > limitBytes) return { whole: undefined, stream: continued(gathered.parts(), reader) }
  }
}

function continued(chunks: Uint8Array[], reader: ReadableStreamDefaultReader<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const read = chunks.shift()
        if (read) return controller.enqueue(read)
        const { done, value } = await reader.read()
        if (done) controller.close()
        else controller.enqueue(value)
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}
