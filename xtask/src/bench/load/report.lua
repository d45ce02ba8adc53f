-- Called by wrk once, after the load: its sums on one line, as JSON.
function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      'report {"requests":%d,"seconds":%.6f,"bytes":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d,"status":%d,"p50_us":%.0f,"p99_us":%.0f}\n',
      summary.requests, summary.duration / 1e6, summary.bytes, errors.connect, errors.read, errors.write, errors.timeout, errors.status,
      latency:percentile(50), latency:percentile(99)))
end
