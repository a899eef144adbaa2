/** The port each service of the shop listens on unless told otherwise. */
export const USUAL_PORTS = {
  users: 9101,
  catalog: 9102,
  inventory: 9103,
  pricing: 9104,
  'pricing-canary': 9114,
  promotions: 9105,
  orders: 9106,
  payments: 9107,
} as const

/** A service of the shop. */
export type ServiceName = keyof typeof USUAL_PORTS
