--- What was done in each sandbox, put together from the records of an audit.
local execution = require "codecell.execution"
local json = require "codecell.json"
local options = require "codecell.options"
local records = require "codecell.audit.records"
local texts = require "codecell.audit.texts"

local sessions = {}

---@class codecell.AuditSession what was done in a sandbox
---@field sandbox string id
---@field subject string?
---@field agent string?
---@field created number seconds since 1970 of its first record
---@field ended number? of its end
---@field options table of create, as far as they were kept
---@field cells codecell.PastRun[] what was run, as `sandbox:history()` has it; `code` is nil where
---only its digest was kept (`code_digest`), and each has the number of its `record`; texts of an
---execution that were not kept are "", and `kept` is false
---@field steps table[] all that was done: `event record at`, `content`, `outcome` (content of the
---record after it), `within` (record of the step that it was done for)

local FILTER = { sandbox = { type = "name" }, subject = { type = "name" } }

local function text_of(value)
  local text, digest = texts.unpack(value)
  return text or "", digest
end

local function result_of(told)
  local formats = {}
  for name, value in pairs(told) do
    local text, digest = texts.unpack(value)
    formats[name] = text or not digest and value or nil
  end
  return execution.decoded(formats, told.is_main_result == true)
end

-- The execution that a record tells of; nil: it has none.
local function execution_of(asked, told)
  if not told or told.status == nil then
    return nil
  end
  local made = execution.new(asked.language, asked.context)
  made.execution_count, made.seconds = told.execution_count or 0, told.seconds or 0
  made.timed_out, made.out_of_memory = told.status == "timed_out",
    told.status == "out_of_memory"
  for _, name in ipairs({ "stdout", "stderr" }) do
    local text, digest = text_of(told[name])
    made.logs[name][1] = text ~= "" and text or nil
    made.kept = made.kept ~= false and not digest
  end
  for _, one in ipairs(type(told.results) == "table" and told.results or {}) do
    local result = type(one) == "table" and result_of(one) or nil
    made.results[#made.results + 1] = result
    made.text = result and result.is_main_result and result.text or made.text
  end
  local failure = told.error
  if type(failure) == "table" then
    made.error = { name = tostring(failure.name), value = (text_of(failure.value)),
      traceback = (text_of(failure.traceback)) }
  end
  for _, name in ipairs({ "files_changed", "refused", "timings", "truncated", "state_lost" }) do
    made[name] = told[name] ~= nil and told[name] ~= json.null and told[name] or made[name]
  end
  return made
end

local function cell_of(step)
  local asked, told = step.content, step.outcome
  local code, digest = texts.unpack(asked.code)
  return { at = math.floor(step.at), code = code, code_digest = digest, language = asked.language,
    context = asked.context, record = step.record, stdin = texts.unpack(asked.stdin),
    err = told and told.err, execution = execution_of(asked, told) }
end

local function fits(content, filter)
  return (not filter.sandbox or content.sandbox == filter.sandbox)
    and (not filter.subject or content.subject == filter.subject)
end

-- What does other things for its own sake.
local WIDE = { apply = true, fork = true, install = true, run = true, snapshot = true }
local ENDS = { close = true, ended = true, kill = true }

local function session_of(self, id, record)
  local found = self.by_id[id]
  if not found then
    found = { sandbox = id, subject = record.content.subject, agent = record.content.agent,
      created = record.at, options = {}, steps = {}, cells = {} }
    self.by_id[id] = found
    self.list[#self.list + 1] = found
  end
  return found
end

-- A record before, or one alone.
local function take_first(self, record)
  local content = record.content
  local step = { event = record.event, record = record.number, at = record.at, content = content,
    is_open = record.phase == "before" or nil }
  if step.is_open then
    self.open[record.number] = step
  end
  if content.sandbox and fits(content, self.filter) then
    local session = session_of(self, content.sandbox, record)
    session.steps[#session.steps + 1] = step
    step.within = session.busy
    if step.is_open and WIDE[step.event] and not session.busy then
      session.busy = step.record
    end
    if ENDS[record.event] then
      session.ended = record.at
    end
  end
end

local function take_outcome(self, record)
  local step = self.open[record.of]
  self.open[record.of] = nil
  if not step then
    return -- it was emptied, or stood in a file that is gone
  end
  step.outcome, step.is_open = record.content, nil
  local id = record.content.sandbox
  local known = id and self.by_id[id]
  if known and known.busy == step.record then
    known.busy = nil
  end
  if (step.event == "create" or step.event == "connect") and id
    and fits(record.content, self.filter) then
    local session = session_of(self, id, record)
    session.options, session.created = step.content, step.at
    table.insert(session.steps, 1, step)
  end
end

--- See `audit.sessions`.
---@param path string?
---@param filter table?
---@return codecell.AuditSession[]?
---@return codecell.Error?
function sessions.list(path, filter)
  local self = { by_id = {}, list = {}, open = {},
    filter = options.check("sessions", filter, FILTER, 4) }
  local ok, err = records.each(path, function(record)
    if record.content and record.phase == "after" then
      take_outcome(self, record)
    elseif record.content then
      take_first(self, record)
    end
  end)
  if not ok then
    return nil, err
  end
  for _, session in ipairs(self.list) do
    for _, step in ipairs(session.steps) do
      if step.event == "run" then
        session.cells[#session.cells + 1] = cell_of(step)
      end
    end
  end
  return self.list
end

return sessions
