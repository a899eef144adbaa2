/** Every metric the gateway has, by name. A name that is not here is refused, so that this table stays the reference. */
export interface MetricDeclaration {
  readonly kind: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly labels: readonly string[]
}

export const METRICS: Readonly<Record<string, MetricDeclaration>> = {
  sluice_requests_total: { kind: 'counter', help: 'Requests answered', labels: ['route', 'method', 'status'] },
  sluice_request_duration_seconds: { kind: 'histogram', help: 'Time until a response began', labels: ['route'] },
  sluice_requests_in_flight: { kind: 'gauge', help: 'Requests without an answer', labels: [] },
  sluice_upstream_calls_total: {
    kind: 'counter',
    help: 'Calls to upstreams, retries included in one',
    labels: ['upstream', 'version', 'outcome'],
  },
  sluice_upstream_call_duration_seconds: {
    kind: 'histogram',
    help: 'Time until an upstream answered',
    labels: ['upstream'],
  },
  sluice_retries_total: { kind: 'counter', help: 'Retries wished for', labels: ['upstream', 'outcome'] },
  sluice_breaker_state: {
    kind: 'gauge',
    help: 'State of a circuit: 0 closed, 1 half-open, 2 open',
    labels: ['breaker'],
  },
  sluice_breaker_transitions_total: {
    kind: 'counter',
    help: 'Changes of state of a circuit',
    labels: ['breaker', 'to'],
  },
  sluice_release_total: { kind: 'counter', help: 'Calls by the version chosen', labels: ['upstream', 'version'] },
  sluice_parts_total: {
    kind: 'counter',
    help: 'Parts of composed answers, by what became of them',
    labels: ['mount', 'part', 'outcome'],
  },
  sluice_outbox_pending: { kind: 'gauge', help: 'Events that wait for the broker', labels: [] },
  sluice_outbox_oldest_age_seconds: {
    kind: 'gauge',
    help: 'Age of the oldest event that waits for the broker',
    labels: [],
  },
  sluice_outbox_unknown: { kind: 'gauge', help: 'Requests of which nobody knows whether an event is due', labels: [] },
  sluice_outbox_parked: { kind: 'gauge', help: 'Events and requests that wait for an operator', labels: [] },
  sluice_relay_lease_held: {
    kind: 'gauge',
    help: '1 in the process that delivers, 0 in one that stands by',
    labels: [],
  },
  sluice_outbox_refused_total: { kind: 'counter', help: 'Intents the outbox could not take', labels: ['reason'] },
  sluice_events_published_total: { kind: 'counter', help: 'Events sent to the broker, repeats included', labels: [] },
  sluice_events_confirmed_total: { kind: 'counter', help: 'Events the broker has confirmed', labels: [] },
  sluice_events_returned_total: { kind: 'counter', help: 'Events the broker had no queue for', labels: [] },
  sluice_events_parked_total: { kind: 'counter', help: 'Events set aside for an operator', labels: [] },
  sluice_settle_total: {
    kind: 'counter',
    help: 'Attempts to settle an unknown outcome, by what came of them',
    labels: ['outcome'],
  },
  sluice_journal_refused_total: {
    kind: 'counter',
    help: 'Writes that were not made because the journal could not take them',
    labels: ['reason'],
  },
  sluice_compensations_total: {
    kind: 'counter',
    help: 'Attempts to undo a write, by what came of them, and requests that were parked',
    labels: ['outcome'],
  },
  sluice_compensations_parked: {
    kind: 'gauge',
    help: 'Requests with writes that cannot be undone and wait for an operator',
    labels: [],
  },
  sluice_relay_retries_total: { kind: 'counter', help: 'Events sent again after an unknown outcome', labels: [] },
  sluice_topology_refused: {
    kind: 'gauge',
    help: 'Whether the broker refuses an exchange or a queue of the file, 1 or 0',
    labels: [],
  },
  sluice_broker_messages_ready: {
    kind: 'gauge',
    help: 'Messages in the embedded broker that wait for a consumer',
    labels: [],
  },
  sluice_broker_messages_unsettled: {
    kind: 'gauge',
    help: 'Messages the embedded broker has delivered and nobody has acknowledged',
    labels: [],
  },
  sluice_broker_file_bytes: { kind: 'gauge', help: 'Size of the file of the embedded broker', labels: [] },
  sluice_dead_letters: { kind: 'gauge', help: 'Messages in a queue of dead letters', labels: ['queue'] },
  sluice_rate_limit_total: { kind: 'counter', help: 'Requests counted against a limit', labels: ['mount', 'outcome'] },
  sluice_idempotency_total: {
    kind: 'counter',
    help: 'Requests with an idempotency key, by what became of them',
    labels: ['mount', 'outcome'],
  },
  sluice_log_lines_lost_total: { kind: 'counter', help: 'Lines of the log that its writer refused', labels: [] },
  sluice_config_reloads_total: { kind: 'counter', help: 'Reloads of the configuration', labels: ['outcome'] },
}
