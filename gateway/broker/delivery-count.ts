import { readProperties, writeProperties } from './codec/properties.ts'

/** Encoded properties with the header `x-delivery-count` added: how often the message was delivered in vain. */
export function withDeliveryCount(properties: Uint8Array, count: number): Uint8Array {
  const decoded = readProperties(properties)
  const headers = new Map(decoded.headers).set('x-delivery-count', { type: 'l', value: BigInt(count) })
  return writeProperties({ ...decoded, headers })
}
