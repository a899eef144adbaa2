/** Where the embedded broker listens and what it keeps its messages in. */
export interface EmbeddedBrokerAddress {
  /** 0 takes any free port. */
  readonly port: number
  /** Undefined keeps nothing over a restart. */
  readonly file: string | undefined
}

/** How an address of the embedded broker may be written, for messages. */
export const EMBEDDED_FORMS = 'embedded:, embedded:5673, embedded:?file=.data/broker.db or embedded:5673?file=memory'

const DEFAULT_FILE = '.data/broker.db'
const MEMORY = 'memory'

/** `embedded:[port][?file=<path>|memory]`; undefined for any other text. */
export function parseEmbeddedBroker(text: string): EmbeddedBrokerAddress | undefined {
  const [whole, port = '', file = DEFAULT_FILE] = /^embedded:(\d{0,5})(?:\?file=([^?&#\0]+))?$/.exec(text) ?? []
  if (whole === undefined || Number(port) > 65_535) return undefined
  return { port: Number(port), file: file === MEMORY ? undefined : file }
}
