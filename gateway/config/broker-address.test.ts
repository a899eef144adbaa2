import { describe, expect, test } from 'bun:test'
import { parseEmbeddedBroker } from './broker-address.ts'

describe('the address of the embedded broker', () => {
  test.each([
    { text: 'embedded:', port: 0, file: '.data/broker.db' },
    { text: 'embedded:5673', port: 5_673, file: '.data/broker.db' },
    { text: 'embedded:?file=memory', port: 0, file: undefined },
    { text: 'embedded:65535?file=/var/lib/sluice/broker.db', port: 65_535, file: '/var/lib/sluice/broker.db' },
    { text: 'embedded:?file=./memory', port: 0, file: './memory' },
    { text: 'embedded:?file=a b%20c+d.db', port: 0, file: 'a b%20c+d.db' },
  ])('is read: $text', ({ text, ...address }) => {
    expect(parseEmbeddedBroker(text)).toEqual(address)
  })

  test.each([
    'embedded',
    'embedded:abc',
    'embedded:65536',
    'embedded:-1',
    'embedded:?',
    'embedded:?file=',
    'embedded:?fil=a.db',
    'embedded:?file=a.db&size=1',
    'embedded:?file=a.db#b',
    'embedded:?file=a.db?file=b.db',
    'embedded:5673/a.db',
    'embedded://localhost:5673',
    'embedded:5673 ',
    'embedded:?file=a.db\0',
    'amqp://localhost',
  ])('is refused: %j', (text) => {
    expect(parseEmbeddedBroker(text)).toBeUndefined()
  })
})
