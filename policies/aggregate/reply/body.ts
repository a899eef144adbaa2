import { collect, declaredLength } from '../../../gateway/core/body.ts'
import { PartFailure } from '../failure.ts'
import { invalid, quoted } from './invalid.ts'

/** How far a body is read. */
export interface Bounds {
  readonly maxBytes: number
  readonly signal: AbortSignal
}

/** The whole body, decompressed. Throws `PartFailure` when it is over the limit, breaks off or is coded in an unknown way. */
export async function readBody(response: Response, bounds: Bounds): Promise<Uint8Array<ArrayBuffer>> {
  const coding = codingOf(response.headers.get('content-encoding'))
  if ((declaredLength(response) ?? 0) > bounds.maxBytes) throw tooLarge(bounds.maxBytes)
  const sent = await collectWithin(bounds, response.body)
  if (coding === 'identity') return sent
  return collectWithin(bounds, inSlices(sent).pipeThrough(new DecompressionStream(coding)))
}

async function collectWithin(
  { maxBytes, signal }: Bounds,
  stream: ReadableStream<Uint8Array> | null,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await collect(stream, maxBytes, tooLarge, signal)
  } catch (error) {
    if (error instanceof PartFailure) throw error
    throw invalid('the body broke off or could not be decoded')
  }
}

function tooLarge(limitBytes: number): PartFailure {
  return new PartFailure('too-large', { cause: `the reply has more than ${limitBytes} bytes` })
}

const CODINGS: Readonly<Record<string, 'gzip' | 'deflate' | 'identity'>> = {
  gzip: 'gzip',
  'x-gzip': 'gzip',
  deflate: 'deflate',
  identity: 'identity',
}

/** Calls ask for `identity`; gzip and deflate are understood all the same, other codings and chains of them are not. */
function codingOf(encoding: string | null): 'gzip' | 'deflate' | 'identity' {
  const name = (encoding ?? 'identity').toLowerCase()
  const coding = Object.hasOwn(CODINGS, name) ? CODINGS[name] : undefined
  if (coding === undefined) throw invalid(`unsupported encoding ${quoted(name)}`)
  return coding
}

const SLICE_BYTES = 4_096

/** Some runtimes inflate a whole chunk before anybody can stop them: a small one bounds that to a few megabytes. */
function inSlices(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> {
  let start = 0
  return new ReadableStream(
    {
      pull(controller) {
        if (start < bytes.byteLength) controller.enqueue(bytes.subarray(start, start + SLICE_BYTES))
        else controller.close()
        start += SLICE_BYTES
      },
    },
    { highWaterMark: 0 },
  )
}
