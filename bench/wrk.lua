-- Sends the requests of one file, each once, and looks at every answer: what is not a success is counted apart.
--   wrk ... -s wrk.lua URL -- FILE MARKER [PAUSE]     (one thread)
-- FILE holds records of "<length>\n<raw HTTP request>". An answer counts when its status is 200 and MARKER stands in
-- its body. When the file is read to its end the thread stops; the clock is ours, so the rate stays right.
-- With PAUSE each connection rests so many milliseconds on average after an answer, and the file is begun again.
local ffi = require("ffi")
ffi.cdef("typedef struct { long s; long ns; } moment; int clock_gettime(int, moment *);")
local clock = ffi.new("moment")

local function now()
  ffi.C.clock_gettime(1, clock) -- CLOCK_MONOTONIC
  return tonumber(clock.s) + tonumber(clock.ns) / 1e9
end

local threads = {}
local file, marker

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  file = assert(io.open(args[1], "rb"))
  marker = args[2]
  good, bad, dry = 0, 0, 0
  first, last, example = nil, 0, ""
  if args[3] then
    local pause = tonumber(args[3])
    paced = true
    delay = function() return math.floor(math.random() * 2 * pause) end
  end
end

function request()
  local length = file:read("*l")
  if not length and paced then
    file:seek("set")
    length = file:read("*l")
  end
  if not length then
    dry = 1
    wrk.thread:stop()
    return "GET /dry HTTP/1.1\r\nHost: dry\r\n\r\n"
  end
  first = first and (first > 0 and first or now()) or 0 -- wrk asks for one before it starts
  return file:read(tonumber(length))
end

function response(status, headers, body)
  if status == 200 and body:find(marker, 1, true) then
    good = good + 1
    last = now()
  elseif dry == 0 then
    bad = bad + 1
    if example == "" then example = status .. " " .. body:sub(1, 500) end
  end
end

local function quoted(text)
  return '"' .. text:gsub('[%c"\\]', function(c) return string.format("\\u%04x", c:byte()) end) .. '"'
end

function done(summary, latency, requests)
  local thread, errors = threads[1], summary.errors
  io.write(string.format(
    '\n{"good": %d, "bad": %d, "dry": %d, "seconds": %.6f, "p50": %.3f, "p99": %.3f, "broken": %d, "example": %s}\n',
    thread:get("good"), thread:get("bad"), thread:get("dry"), thread:get("last") - thread:get("first"),
    latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    errors.connect + errors.read + errors.write + errors.timeout, quoted(thread:get("example"))))
end
