export interface GatewayConfigParts {
  readonly broker: string
  readonly outbox: string
  /** Address of the order service. */
  readonly orders: string
  readonly exchange: string
  readonly subjectIsCustomer: boolean
}

/** The configuration of a scene's gateways: the order route as one would run it, with a shop that is not patient. */
export function gatewayConfig({ broker, outbox, orders, exchange, subjectIsCustomer }: GatewayConfigParts): string {
  return JSON.stringify({
    version: 1,
    server: { host: '127.0.0.1', grace: '20s', limits: { timeout: '20s' } },
    services: { store: 'memory:', broker, outbox },
    upstreams: { orders: { url: orders, policies: [{ timeout: '4s' }] } },
    routes: {
      'place-order': {
        path: '/orders',
        methods: ['POST'],
        policies: [
          { idempotency: { required: true } },
          {
            publish: {
              type: 'order.placed',
              exchange,
              subject: subjectIsCustomer ? '{headers.x-user-id}' : '{response.body.id}',
              data: '{response.body}',
              // The service knows a key by its customer: without this field a replay would be another customer's order.
              'settle-headers': ['x-user-id'],
            },
          },
        ],
        upstream: 'orders',
      },
    },
  })
}
