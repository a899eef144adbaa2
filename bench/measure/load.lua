-- Sends one request over and over, or one for each token of the file named after `--` in turn, and prints the outcome
-- as one line of JSON.
local requests = {}
local turn = 0

function init(arguments)
  local tokens = arguments[1]
  if tokens == nil then
    requests = { wrk.format('GET') }
    return
  end
  for token in io.lines(tokens) do
    requests[#requests + 1] = wrk.format('GET', nil, { Authorization = 'Bearer ' .. token })
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"durationUs":%d,"p50Us":%d,"p99Us":%d,"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.status, errors.timeout
  ))
end
