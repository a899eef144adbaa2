const RESULT = /^\((?:pass|fail|skip|todo)\) /
const FAILED = /^\(fail\) /
/** A failure that follows its test's line belongs to it: `  ^ this test timed out after 50ms.` */
const AFTERWORD = /^\s+\^ /
/** Where many tests ran, Bun names at the end again those that failed. */
const AGAIN = /^\d+ tests? failed:$/
const FILE = /^\S+\.test\.ts:$/
const UNHANDLED = /^# Unhandled error/
const UNHANDLED_END = /^-+$/
const VITEST_FAILED = /^ FAIL /
const VITEST_END = /^⎯/
const FAULTS_FAILED = /^FAIL /
const INDENTED = /^\s+\S/

/** The lines kept of one failure, and the failures kept of one suite: enough to begin with; the rest is further up. */
const MOST_LINES = 30
const MOST_FAILURES = 20

/**
 * What failed in the output of a suite that did, a text for each failure: the name of its test, and what the runner
 * said of it; the last lines when no failure is found among them. Said again at the very end, a failure need not be
 * searched for among thousands of lines.
 *
 * @param output What `bun test`, `vitest run` or the faults runner printed, without colours.
 */
export function failedTests(output: string): string[] {
  const lines = output.trimEnd().split('\n')
  const failures = [
    ...failedOnBun(lines),
    // Between two rules, of which the first goes before its name.
    ...blocks(lines, UNHANDLED, (line, at) => at === 1 || !UNHANDLED_END.test(line)),
    ...blocks(lines, VITEST_FAILED, (line) => !VITEST_END.test(line) && !VITEST_FAILED.test(line)),
    ...blocks(lines, FAULTS_FAILED, (line) => INDENTED.test(line)),
  ]
  if (failures.length === 0) return [text(lines.slice(-MOST_LINES))]
  const rest = failures.length - MOST_FAILURES
  return rest > 0 ? [...failures.slice(0, MOST_FAILURES), `and ${rest} more`] : failures
}

/** Bun says first why a test failed, then which. */
function failedOnBun(lines: readonly string[]): string[] {
  const failures: string[] = []
  let file = ''
  let said: string[] = []
  const again = lines.findIndex((line) => AGAIN.test(line))
  lines.slice(0, again === -1 ? undefined : again).forEach((line, index) => {
    if (FILE.test(line)) file = line
    if (FAILED.test(line)) {
      const next = lines[index + 1] ?? ''
      failures.push(text([`${file} ${line}`, ...(AFTERWORD.test(next) ? [next] : []), ...said.slice(-MOST_LINES)]))
    }
    if (FILE.test(line) || RESULT.test(line)) said = []
    else said.push(line)
  })
  return failures
}

/** What stands below a line that names a failure, for as long as it goes on. */
function blocks(lines: readonly string[], begins: RegExp, goesOn: (line: string, below: number) => boolean): string[] {
  return lines.flatMap((line, index) => {
    if (!begins.test(line)) return []
    const below = lines.slice(index + 1, index + MOST_LINES)
    const end = below.findIndex((one, at) => !goesOn(one, at + 1))
    return [text([line, ...below.slice(0, end === -1 ? below.length : end)])]
  })
}

function text(lines: readonly string[]): string {
  return lines.join('\n').trim()
}
