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
  const { maxBytes, signal } = bounds
  const sent = await unbroken(collectSent(response, bounds))
  if (coding === 'identity') return sent
  const plain = inSlices(sent).pipeThrough(new DecompressionStream(coding))
  return unbroken(collect(plain, maxBytes, tooLarge, signal))
}

/**
 * A body that says its length is read in one go, which spares a stream: runtimes read no more than was said, and end it
 * with the signal its call was made with.
 */
async function collectSent(response: Response, { maxBytes, signal }: Bounds): Promise<Uint8Array<ArrayBuffer>> {
  const length = declaredLength(response)
  if (length === undefined) return collect(response.body, maxBytes, tooLarge, signal)
  if (length > maxBytes) throw tooLarge(maxBytes)
  const bytes = new Uint8Array(await response.arrayBuffer())
  if (bytes.byteLength > maxBytes) throw tooLarge(maxBytes)
  return bytes
}

async function unbroken<Bytes>(reading: Promise<Bytes>): Promise<Bytes> {
  try {
    return await reading
  } catch (error) {
    if (error instanceof PartFailure) throw error
    throw invalid('the body broke off or could not be decoded')
  }
}

/** The reply is larger than its part allows. */
export function tooLarge(limitBytes: number): PartFailure {
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
