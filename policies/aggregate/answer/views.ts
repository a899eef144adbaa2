import { type Outcome, shownOf } from '../outcome.ts'
import { isMapping, membersOf } from '../reply/slices.ts'

type Json = Uint8Array<ArrayBuffer>

/** The texts of replies and of what is in them, each looked up once. */
export class Views {
  readonly #texts: ReadonlyMap<string, Json>
  readonly #members = new Map<Json, ReadonlyMap<string, Json>>()

  constructor(outcomes: readonly Outcome[]) {
    this.#texts = new Map(
      outcomes.flatMap((outcome) => {
        const shown = shownOf(outcome)
        return shown ? [[outcome.part, shown.json] as const] : []
      }),
    )
  }

  /** The text of a value in a part's reply, as its upstream wrote it; undefined when it is not there. */
  textAt(part: string, path: readonly string[]): Json | undefined {
    let found = this.#texts.get(part)
    for (const name of path) found = found && this.#membersOf(found)?.get(name)
    return found
  }

  #membersOf(json: Json): ReadonlyMap<string, Json> | undefined {
    const known = this.#members.get(json)
    if (known || !isMapping(json)) return known
    const members = membersOf(json)
    this.#members.set(json, members)
    return members
  }
}
