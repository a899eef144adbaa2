-- Places an order a request, each under an Idempotency-Key of its own, and prints the outcome as one line of JSON.
local body = '{"items":[{"sku":"MUG-001","quantity":2}],"payment":{"card":"4242424242424242"}}'
local run = ''
local count = 0

function init()
  run = string.format('%d-%s', os.time(), tostring({}):sub(8))
end

function request()
  count = count + 1
  return wrk.format('POST', nil, {
    ['Content-Type'] = 'application/json',
    ['Idempotency-Key'] = string.format('"%s-%d"', run, count),
  }, body)
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"durationUs":%d,"p50Us":%d,"p99Us":%d,"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.status, errors.timeout
  ))
end
