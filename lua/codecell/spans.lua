--- Spans: what a program did and how long it took, in the shape that OpenTelemetry gives them, told
--- to a function of the host. Nothing of OpenTelemetry is needed for it.
---
---     codecell.setup { on_span = function(span) queue[#queue + 1] = span end }
---     ...
---     http_post(collector .. "/v1/traces", codecell.json.encode(codecell.spans.otlp(queue)))
local chain = require "codecell.audit.chain"
local core = require "codecell.core"
local json = require "codecell.json"
local options = require "codecell.options"
local reactor = require "codecell.reactor"
local sorted = require "codecell.sorted"
local task = require "codecell.task"
local wait = require "codecell.wait"

local spans = {}

local UNSET, OK, ERROR = 0, 1, 2
local KINDS = { internal = 1, server = 2, client = 3 }
local MAIN = {}

local told -- the host's function

-- What runs now, by the task that it runs in; `MAIN` is the main program.
local current = setmetatable({}, { __mode = "k" })

---@class codecell.Span
---@field trace_id string 32 hexadecimal digits
---@field span_id string 16
---@field parent_span_id string? nil: it is the first of its trace
---@field name string "run_code", "command", ...
---@field kind integer 1: internal
---@field start_time_unix_nano string decimal digits: more than every Lua's numbers hold
---@field end_time_unix_nano string
---@field attributes table<string, string|number|boolean> by names of OpenTelemetry's conventions
---where it has one, else "codecell."
---@field status {code: integer, message: string?} 0 unset, 1 ok, 2 error

--- Tell spans from now on, of sandboxes that are made from now on.
---@param called (fun(span: codecell.Span))? nil: no more
function spans.tell_to(called)
  told = called
end

--- Whether anybody listens.
---@return boolean
function spans.are_wanted()
  return told ~= nil
end

local function digits(count)
  return chain.digest(core.random_id(40)):sub(1, count)
end

local function now()
  local at = core.time()
  local whole = math.floor(at)
  return ("%.0f%09.0f"):format(whole, math.floor((at - whole) * 1e9))
end

local function place()
  return wait.task() or MAIN
end

--- The span that what is done now belongs to.
---@return table? context `trace_id span_id`
function spans.current()
  return current[place()]
end

--- Begin a span; what is begun in the same task until it ends is a part of it.
---@param name string
---@param attributes table<string, any>
---@param parent table? context; default: the current one
---@return table? span nil: nobody listens
function spans.start(name, attributes, parent)
  if not told then
    return nil
  end
  local at = place()
  local before = current[at]
  parent = parent or before
  local span = {
    trace_id = parent and parent.trace_id or digits(32), span_id = digits(16),
    parent_span_id = parent and parent.span_id or nil, name = name, kind = KINDS.internal,
    start_time_unix_nano = now(), attributes = attributes, status = { code = UNSET },
  }
  current[at] = span
  return { span = span, at = at, before = before }
end

-- What it raises is raised by the next codecell.step: there is no verb to end.
local function tell(called, span)
  local ok, problem = wait.call(called, span)
  if not ok then
    reactor.fail(tostring(problem))
  end
end

--- Go on with something else, though it has not ended.
---@param started table? as of `start`
function spans.leave(started)
  if started and current[started.at] == started.span then
    current[started.at] = started.before
  end
end

--- End a span.
---@param started table? as of `start`
---@param problem codecell.Error|string|nil why it failed
---@param attributes table<string, any>? more of them
function spans.finish(started, problem, attributes)
  if not started then
    return
  end
  local span = started.span
  spans.leave(started)
  span.end_time_unix_nano = now()
  for name, value in pairs(attributes or {}) do
    span.attributes[name] = value
  end
  if problem then
    span.attributes["error.type"] = type(problem) == "table" and problem.kind or "error"
    span.status = { code = ERROR, message = tostring(problem) }
  else
    span.status = { code = OK }
  end
  if told then
    task.async(tell, told, span)
  end
end

--- Call a function as a part of a trace that another program has begun.
---@param traceparent string "00-TRACE-SPAN-FLAGS", as the header has it (W3C Trace Context)
---@param called function which may wait
---@param ... any its arguments
---@return any ... what it returns; what it raises is raised again
function spans.within(traceparent, called, ...)
  options.argument("within", "traceparent", traceparent, "name")
  local trace, span = traceparent:lower():match("^%x%x%-(%x+)%-(%x+)%-%x%x")
  if not trace or #trace ~= 32 or #span ~= 16 then
    error("within: traceparent: \"00-\", 32 hexadecimal digits, 16, and 2 expected, with \"-\" "
      .. "between them", 2)
  end
  local at = place()
  local before = current[at]
  current[at] = { trace_id = trace, span_id = span }
  local function leave(ok, ...)
    current[at] = before
    if not ok then
      error((...), 0)
    end
    return ...
  end
  return leave(wait.call(called, ...))
end

local function value_of(value)
  if type(value) == "boolean" then
    return { boolValue = value }
  elseif type(value) == "number" and value % 1 == 0 and math.abs(value) < 2 ^ 53 then
    return { intValue = ("%.0f"):format(value) }
  elseif type(value) == "number" then
    return { doubleValue = value }
  end
  return { stringValue = tostring(value) }
end

local function attributes_of(given)
  local list = json.list()
  for i, name in ipairs(sorted(given)) do
    list[i] = { key = name, value = value_of(given[name]) }
  end
  return list
end

--- Spans as OpenTelemetry's collectors take them at /v1/traces, for `codecell.json.encode`.
---@param list codecell.Span[]
---@param resource table<string, any>? of the program: default `{["service.name"] = "codecell"}`
---@return table request
function spans.otlp(list, resource)
  options.argument("otlp", "list", list, "table")
  local encoded = json.list()
  for i, span in ipairs(list) do
    encoded[i] = { traceId = span.trace_id, spanId = span.span_id,
      parentSpanId = span.parent_span_id, name = span.name, kind = span.kind,
      startTimeUnixNano = span.start_time_unix_nano, endTimeUnixNano = span.end_time_unix_nano,
      attributes = attributes_of(span.attributes), status = span.status }
  end
  return { resourceSpans = json.list({ {
    resource = { attributes = attributes_of(resource or { ["service.name"] = "codecell" }) },
    scopeSpans = json.list({ {
      scope = { name = "codecell", version = require("codecell")._VERSION }, spans = encoded } }),
  } }) }
end

return spans
