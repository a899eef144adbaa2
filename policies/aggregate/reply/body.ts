import { collect, declaredLength } from '../../../gateway/core/body.ts'
import { bodyOf, fieldsOf, ReadReply, type Reply, wholeBody } from '../../../gateway/core/read-reply.ts'
import type { StopSource } from '../../../gateway/core/stop.ts'
import { PartFailure } from '../failure.ts'
import { invalid, quoted } from './invalid.ts'

type Body = Uint8Array<ArrayBuffer>

/**
 * The whole body, decompressed; at once when it is there already. Throws or rejects with `PartFailure` when it is over the
 * limit, breaks off or is coded in an unknown way.
 */
export function readBody(reply: Reply, maxBytes: number, stop: StopSource): Body | Promise<Body> {
  const coding = codingOf(fieldsOf(reply).get('content-encoding'))
  const there = wholeBody(reply)
  if (there === undefined) return readStream(reply, coding, { maxBytes, stop })
  if (there.byteLength > maxBytes) throw tooLarge(maxBytes)
  return coding === 'identity' ? there : inflate(there, coding, { maxBytes, stop })
}

/** How far a body is read. */
interface Bounds {
  readonly maxBytes: number
  readonly stop: StopSource
}

async function readStream(reply: Reply, coding: Coding, bounds: Bounds): Promise<Body> {
  const sent = await unbroken(collectSent(reply, bounds))
  return coding === 'identity' ? sent : inflate(sent, coding, bounds)
}

function inflate(sent: Body, coding: Exclude<Coding, 'identity'>, { maxBytes, stop }: Bounds): Promise<Body> {
  const plain = inSlices(sent).pipeThrough(new DecompressionStream(coding))
  return unbroken(collect(plain, maxBytes, tooLarge, stop.signal))
}

/**
 * A body that says its length is read in one go, which spares a stream: runtimes read no more than was said, and end it
 * with the signal its call was made with.
 */
async function collectSent(reply: Reply, { maxBytes, stop }: Bounds): Promise<Body> {
  const length = declaredLength(fieldsOf(reply))
  if (length !== undefined && length > maxBytes) throw tooLarge(maxBytes)
  if (length === undefined || reply instanceof ReadReply) return collect(bodyOf(reply), maxBytes, tooLarge, stop.signal)
  const bytes = new Uint8Array(await reply.arrayBuffer())
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

type Coding = 'gzip' | 'deflate' | 'identity'

const CODINGS: Readonly<Record<string, Coding>> = {
  gzip: 'gzip',
  'x-gzip': 'gzip',
  deflate: 'deflate',
  identity: 'identity',
}

/** Calls ask for `identity`; gzip and deflate are understood all the same, other codings and chains of them are not. */
function codingOf(encoding: string | null): Coding {
  if (encoding === null) return 'identity'
  const name = encoding.toLowerCase()
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
