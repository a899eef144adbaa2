import type { EventBus, IntentDraft } from '../../gateway/core/events.ts'
import { createTestGateway, type TestGatewayOptions } from '../../tests/support/gateway.ts'

/** What `publish` would note of one request, and what the upstream got of it. */
export async function draftOf(
  options: Record<string, unknown>,
  init: RequestInit = {},
  { policies = [], ...more }: TestGatewayOptions = {},
): Promise<{ readonly draft: IntentDraft; readonly sent: Request | undefined; readonly status: number }> {
  const drafts: IntentDraft[] = []
  const done = async () => {}
  const events: EventBus = {
    intend: async (draft) => {
      // As every durable outbox has it: what cannot be written is not there.
      drafts.push(JSON.parse(JSON.stringify(draft)))
      return { id: 'intent-1', commit: done, withhold: done, reject: done, unknown: done }
    },
    accept: done,
    status: async () => undefined,
  }
  const publish = { type: 'order.placed', exchange: 'shop.events', ...options }
  const gateway = await createTestGateway({
    policies: [...policies, { publish }],
    upstream: () => Response.json({ id: 'o-1' }, { status: 201 }),
    services: { events },
    ...more,
  })
  const response = await gateway.fetch('/x/7?a=b', { method: 'POST', body: '{"note":"quick"}', ...init })
  const [draft] = drafts
  if (!draft) throw new Error(`No intent: ${response.status} ${await response.text()}`)
  return { draft, sent: gateway.upstreamRequests[0], status: response.status }
}
