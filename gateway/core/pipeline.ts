/** Answers one context: the client's exchange, or one call to an upstream. */
export type Handler<Context> = (context: Context) => Promise<Response>

/** Runs the rest of the pipeline: once, again (retry) or not at all (short circuit), with some fields changed or none. */
export type Next<Context> = (change?: Partial<Context>) => Promise<Response>

export type Middleware<Context> = (context: Context, next: Next<Context>) => Promise<Response>

/** Turns what a layer threw into a response, so that the layers outside still do their work. */
export type Recover<Context> = (error: unknown, context: Context) => Response

/**
 * Folds a list of middleware around a terminal handler, outermost first. Runs once, at load: a request only calls
 * the closures made here. What the outermost one throws is the caller's to answer: no layer outside waits for it.
 */
export function pipeline<Context extends object>(
  layers: readonly Middleware<Context>[],
  terminal: Handler<Context>,
  recover?: Recover<Context>,
): Handler<Context> {
  return layers.reduceRight<Handler<Context>>((inner, layer) => {
    const rest = recover ? guarded(inner, recover) : inner
    return (context) => layer(context, (change) => rest(derive(context, change)))
  }, terminal)
}

function guarded<Context>(handler: Handler<Context>, recover: Recover<Context>): Handler<Context> {
  return async (context) => {
    try {
      return await handler(context)
    } catch (error) {
      return recover(error, context)
    }
  }
}

/** Inherits instead of copying, so that lazy getters of the original stay lazy and are computed once. */
function derive<Context extends object>(context: Context, change: Partial<Context> | undefined): Context {
  return change ? Object.assign(Object.create(context), change) : context
}
