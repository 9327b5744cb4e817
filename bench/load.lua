-- What wrk sends: wrk -s load.lua <url> -- kind=place products=1,2,3 orders=7,8 rate=0 stop_after=0
-- The last line it prints is JSON; `wrk_seconds` in it is the CPU time of wrk itself.

local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } bench_time;
  int clock_gettime(int clock, bench_time *time);
]]
local MONOTONIC = 1
local moment = ffi.new("bench_time")

local function now()
  ffi.C.clock_gettime(MONOTONIC, moment)
  return tonumber(moment.seconds) + tonumber(moment.nanoseconds) / 1e9
end

local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

-- Requests are written once, before the load: while it runs, wrk only picks one.
local function placings(given)
  local requests, headers = {}, { ["Content-Type"] = "application/json" }
  for id in given.products:gmatch("%d+") do
    local body = string.format('{"product_id":%s,"quantity":1}', id)
    table.insert(requests, wrk.format("POST", "/api/v1/orders", headers, body))
  end
  return requests
end

local function readings(path, ids)
  local requests = {}
  for id in ids:gmatch("%d+") do
    table.insert(requests, wrk.format("GET", path .. id))
  end
  return requests
end

local function one_of(requests)
  return requests[math.random(#requests)]
end

local kinds = {}

function kinds.place(given)
  local requests = placings(given)
  return function() return one_of(requests) end
end

function kinds.read(given)
  local requests = readings("/api/v1/products/", given.products)
  return function() return one_of(requests) end
end

-- Of ten calls six read a product, one reads an order, three place one.
function kinds.mix(given)
  local products = readings("/api/v1/products/", given.products)
  local orders = readings("/api/v1/orders/", given.orders)
  local places = placings(given)
  return function()
    local which = math.random(10)
    if which <= 6 then return one_of(products) end
    if which == 7 then return one_of(orders) end
    return one_of(places)
  end
end

function kinds.page(given)
  local page = wrk.format("GET", given.path)
  return function() return page end
end

-- The times of a rate are handed out one after another to whichever connection is free. Who is late sends at once, but
-- what was missed for longer than a second is not made up for.
local function paced(rate)
  local slot = now()
  return function()
    local time = now()
    slot = math.max(slot + 1 / rate, time - 1)
    return math.max(0, math.floor((slot - time) * 1000 + 0.5))
  end
end

function init(arguments)
  math.randomseed(os.time())
  local given = {}
  for _, argument in ipairs(arguments) do
    local name, value = argument:match("^(%w[%w_]*)=(.*)$")
    given[name] = value
  end
  statuses = {}
  refused_without_time = 0
  left = tonumber(given.stop_after or 0)
  request = kinds[given.kind](given)
  if tonumber(given.rate or 0) > 0 then
    delay = paced(tonumber(given.rate))
  end
end

local function says_when_to_come_again(headers)
  for name in pairs(headers) do
    if name:lower() == "retry-after" then return true end
  end
  return false
end

function response(status, headers)
  local name = tostring(status)
  statuses[name] = (statuses[name] or 0) + 1
  if status == 503 and not says_when_to_come_again(headers) then
    refused_without_time = refused_without_time + 1
  end
  if left > 0 then
    left = left - 1
    if left == 0 then wrk.thread:stop() end
  end
end

local function json(counts)
  local members = {}
  for name, count in pairs(counts) do
    table.insert(members, string.format('"%s":%d', name, count))
  end
  return "{" .. table.concat(members, ",") .. "}"
end

function done(summary, latency)
  local counts, without_time = {}, 0
  for _, thread in ipairs(threads) do
    for name, count in pairs(thread:get("statuses")) do
      counts[name] = (counts[name] or 0) + count
    end
    without_time = without_time + thread:get("refused_without_time")
  end
  local errors = summary.errors
  print(string.format(
    '{"seconds":%f,"p50_ms":%f,"p99_ms":%f,"longest_ms":%f,"broken":%d,"refused_without_time":%d,"wrk_seconds":%f,'
    .. '"statuses":%s}',
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3,
    errors.connect + errors.read + errors.write + errors.timeout, without_time, os.clock(), json(counts)))
end
