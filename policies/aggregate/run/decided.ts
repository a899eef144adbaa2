/** Why calls are cancelled that nobody needs any more; says nothing about their upstreams. */
export class Decided extends Error {
  override readonly name = 'Decided'

  constructor() {
    super('The answer is decided')
  }
}
