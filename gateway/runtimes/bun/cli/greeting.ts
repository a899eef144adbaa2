import type { RunningGateway } from '../start.ts'

/** What `start` prints: the addresses, and with the demo shop the commands to copy. */
export function greeting({ url, adminUrl }: RunningGateway, withShop: boolean): string {
  const head = `\nSluice is ready at ${url}   (health, readiness, metrics: ${adminUrl}/_sluice/health)\n`
  return withShop ? `${head}${tour(url)}` : head
}

const PRICING = 'http://127.0.0.1:9104'

/** Every command is run as it stands by a test. */
function tour(url: string): string {
  return `
Try it from a second terminal:

  1. One call, four services, one answer:
       curl -si ${url}/products/MUG-001; echo

  2. Sign in, place an order, watch it get confirmed:
       TOKEN=$(curl -s ${url}/auth/token -H 'content-type: application/json' \\
         -d '{"username":"alice","password":"alice"}' | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
       curl -si ${url}/orders -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' \\
         -H "idempotency-key: $(date +%s%N)" -d '{"items":[{"sku":"MUG-001","quantity":2}]}'; echo
       sleep 1; curl -s ${url}/orders -H "authorization: Bearer $TOKEN"; echo

  3. Break pricing: the page still comes, and soon says price;fallback;error="circuit-open":
       curl -s -X PUT ${PRICING}/_faults -d '{"errorRate":1}'; echo
       for i in $(seq 40); do curl -s -o /dev/null ${url}/products/MUG-001; done
       curl -si ${url}/products/MUG-001 | grep -i composition

  4. Mend it: within seconds the circuit closes and the price is back:
       curl -s -X PUT ${PRICING}/_faults -d '{}'; echo
       until curl -si ${url}/products/MUG-001 | grep -i 'composition-complete: ?1'; do sleep 1; done

  5. A declined card: the order is cancelled and the stock released (TOKEN is that of step 2):
       curl -s ${url}/orders -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' \\
         -H "idempotency-key: $(date +%s%N)" -d '{"items":[{"sku":"MUG-001","quantity":1}],"payment":{"card":"4000000000000002"}}'; echo
       sleep 1; curl -s ${url}/orders -H "authorization: Bearer $TOKEN"; echo

Ctrl-C ends it. After a restart, sign in again: the shop has a new key.
`
}
