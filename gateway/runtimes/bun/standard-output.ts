import { writeSync } from 'node:fs'

/** Lines are gathered and written together; one system call a line would cost more than the request it tells of. */
export interface LineWriter {
  write(line: string): void
  flush(): void
}

const FLUSH_AFTER_MS = 50
const FLUSH_AT_LENGTH = 65_536

/** Writes lines to a file descriptor, at the latest after 50 ms. Call `flush` before the process ends. */
export function createLineWriter(descriptor = 1): LineWriter {
  let waiting: string[] = []
  let length = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  const flush = () => {
    clearTimeout(timer)
    timer = undefined
    if (waiting.length === 0) return
    const text = `${waiting.join('\n')}\n`
    waiting = []
    length = 0
    writeAll(descriptor, text)
  }
  return {
    write(line) {
      waiting.push(line)
      length += line.length + 1
      if (length > FLUSH_AT_LENGTH) flush()
      else timer ??= setTimeout(flush, FLUSH_AFTER_MS)
    },
    flush,
  }
}

/** A reader that is slower than the log (EAGAIN on a pipe) loses lines rather than holding up requests. */
function writeAll(descriptor: number, text: string): void {
  const bytes = Buffer.from(text)
  for (let offset = 0, tries = 0; offset < bytes.length && tries < 100; tries++) {
    try {
      offset += writeSync(descriptor, bytes, offset)
    } catch (error) {
      if (!(error instanceof Error) || !('code' in error) || error.code !== 'EAGAIN') return
    }
  }
}
