/** Values that came from outside the file, with what stands in the file for them. */
export type Resolved = ReadonlyMap<string, string>

/** Shorter ones are no secrets, and would be found inside ordinary words. */
const SHORTEST = 4

/** Shows the reference instead of its value: a mistake may be logged, and what came from the environment may be a secret. */
export function maskResolved(message: string, resolved: Resolved): string {
  let masked = message
  for (const [value, source] of resolved) {
    if (value.length < SHORTEST) continue
    for (const form of formsOf(value)) masked = masked.replaceAll(form, source)
  }
  return masked
}

/** As messages show a value: whole, as JSON, or cut off; the longest first. */
function formsOf(value: string): string[] {
  const json = JSON.stringify(value).slice(1, -1)
  const cuts = [80, 56].flatMap((length) => (json.length > length ? [json.slice(0, length)] : []))
  return [value, json, ...cuts].sort((a, b) => b.length - a.length)
}
