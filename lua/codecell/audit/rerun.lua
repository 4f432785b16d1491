--- A recorded session done again in a fresh sandbox: what its code does now, beside what it did.
local contents = require "codecell.audit.contents"
local create = require "codecell.create"
local diff = require "codecell.project.diff"
local errors = require "codecell.errors"
local json = require "codecell.json"
local sorted = require "codecell.sorted"
local texts = require "codecell.audit.texts"

local rerun = {}

local LIFETIME, MOST = 300, 86400 -- seconds
local SHARED = { "backend", "cwd", "limits", "read_only", "template" }

---@class codecell.RerunStep
---@field record integer of what is done again
---@field event string
---@field title string one line
---@field same boolean? nil: it was left out
---@field why string? it was left out
---@field diff string? of what was recorded and what came now

---@class codecell.RerunReport
---@field same boolean everything was as it was recorded
---@field steps codecell.RerunStep[]
---@field different integer
---@field skipped integer

local again = {}

-- ---- what is compared ----

local function line_of(text)
  return (tostring(text):gsub("%c", " "):sub(1, 70))
end

-- The lines of a text, or its digest where one side has no more.
local function add_text(lines, name, value, other)
  local text, digest = texts.unpack(value)
  local _, other_digest = texts.unpack(other)
  if text and (other_digest or json.repair(text) ~= text) then
    digest = texts.pack(text, false)
    text = nil
  end
  if digest then
    lines[#lines + 1] = ("%s: sha256 %s (%.0f bytes)\n"):format(name, digest.sha256,
      tonumber(digest.size) or 0)
  elseif text and text ~= "" then
    lines[#lines + 1] = name .. ":\n" .. text .. (text:sub(-1) == "\n" and "" or "\n")
  end
end

local function add_results(lines, results, others)
  for i, result in ipairs(type(results) == "table" and results or {}) do
    local other = type(others) == "table" and type(others[i]) == "table" and others[i] or {}
    for _, name in ipairs(type(result) == "table" and sorted(result) or {}) do
      local value = result[name]
      if name ~= "is_main_result" then
        local is_text = type(value) == "string" or type(value) == "table" and (value.sha256
          or value.base64)
        add_text(lines, ("result %d, %s"):format(i, name), is_text and value
          or json.encode(value) or "", other[name])
      end
    end
  end
end

-- What an outcome shows, in lines; times and paths of programs are left out.
local function text_of(told, other)
  local lines = {}
  if told.err then
    return "not done: " .. tostring(told.err.kind) .. "\n"
  end
  lines[1] = ("status: %s\n"):format(tostring(told.status))
  if told.exit_code then
    lines[2] = ("exit code: %s\n"):format(tostring(told.exit_code))
  end
  add_text(lines, "stdout", told.stdout, other.stdout)
  add_text(lines, "stderr", told.stderr, other.stderr)
  add_results(lines, told.results, other.results)
  if type(told.error) == "table" then
    local failure = type(other.error) == "table" and other.error or {}
    add_text(lines, "error", told.error.name, nil)
    add_text(lines, "what it says", told.error.value, failure.value)
  end
  return table.concat(lines)
end

local function compare(step, now)
  local before = step.outcome
  if not before then
    return nil, "its outcome was not recorded"
  end
  local was, is = text_of(before, now), text_of(now, before)
  return was == is, nil, was ~= is and diff.unified(was, is, "record " .. step.record) or nil
end

-- ---- what is done again ----

local function failed(err)
  return { err = { kind = err.kind, message = err.message } }
end

-- The context that stands for a recorded one: made where that was made, else the default one.
local function context_of(self, content)
  return self.contexts[content.context]
end

function again.run(self, step)
  local code = texts.unpack(step.content.code)
  if not code then
    return nil, "its code was not kept"
  end
  local context = context_of(self, step.content)
  local execution, err = self.sandbox:run_code(code, {
    context = context, language = not context and step.content.language or nil,
    stdin = texts.unpack(step.content.stdin), timeout = step.content.timeout })
  if not execution then
    return compare(step, failed(err))
  end
  return compare(step, contents.execution(self.keeping, execution))
end

function again.context(self, step)
  local content, outcome = step.content, step.outcome or {}
  if content.action == "create" and outcome.context then
    local made, err = self.sandbox:create_code_context({ language = content.language,
      cwd = content.cwd })
    self.contexts[outcome.context] = made
    return compare(step, made and {} or failed(err))
  elseif content.action == "restart" or content.action == "remove" then
    local context = context_of(self, content)
    for _, one in ipairs(not context and self.sandbox:list_code_contexts() or {}) do
      context = one.language == content.language and one or context
    end
    local verb = content.action == "restart" and "restart_code_context" or "remove_code_context"
    local ok, err
    if context then
      ok, err = self.sandbox[verb](self.sandbox, context)
    end
    return compare(step, (ok or not context) and {} or failed(err))
  end
  return nil, "it is not known what was made"
end

function again.command(self, step)
  local argv, content = {}, step.content
  for i, word in ipairs(type(content.argv) == "table" and content.argv or {}) do
    argv[i] = texts.unpack(word)
    if not argv[i] then
      return nil, "its words were not kept"
    end
  end
  if content.terminal or self.inputs[step.record] then
    return nil, "somebody typed into it"
  elseif not argv[1] then
    return nil, "its words were not kept"
  end
  local result, err = self.sandbox.commands:run(argv, { cwd = content.cwd,
    stdin = texts.unpack(content.stdin), timeout = content.timeout })
  if not result then
    return compare(step, failed(err))
  end
  return compare(step, { status = result.timed_out and "timed_out"
    or result.signal and "signal" or "exited",
    exit_code = not result.signal and result.exit_code or nil, stdout = result.stdout,
    stderr = result.stderr })
end

local function of_file(called)
  return function(self, step)
    local ok, err, why = called(self.sandbox.files, step.content)
    if why then
      return nil, why
    end
    return compare(step, ok ~= nil and {} or failed(err))
  end
end

again.write = of_file(function(files, content)
  local data = texts.unpack(content.data)
  if not data then
    return nil, nil, "what was written was not kept"
  end
  return files:write(content.path, data, { mode = content.mode })
end)

again.mkdir = of_file(function(files, content) return files:make_dir(content.path) end)
again.remove = of_file(function(files, content) return files:remove(content.path) end)
again.rename = of_file(function(files, content) return files:rename(content.path, content.to) end)

function again.install(self, step)
  local done, err = self.sandbox:install(step.content.packages,
    { language = step.content.language })
  return compare(step, done and {} or failed(err))
end

-- What has no part in what code does: who looks only, and who ends it.
local SILENT = { close = true, connect = true, create = true, decision = true, ended = true,
  freeze = true, input = true, kill = true, pause = true, read = true, resume = true,
  security = true, signal = true, snapshot = true, timeout = true, unfreeze = true }

local TITLES = { command = "argv", install = "packages" }

local function title_of(step)
  local content = step.content
  local told = step.event == "run" and texts.unpack(content.code) or content.path
    or TITLES[step.event] and json.encode(content[TITLES[step.event]]) or content.action or ""
  return line_of(step.event .. " " .. tostring(told))
end

local function do_again(self, step)
  local called = again[step.event]
  local same, why, text
  if called then
    same, why, text = called(self, step)
  else
    why = "it is not done again"
  end
  return { record = step.record, event = step.event, title = title_of(step), same = same,
    why = why, diff = text }
end

local function number(value)
  return type(value) == "number" and value or nil
end

local function options_of(session, given)
  local options = {}
  for _, name in ipairs(SHARED) do
    options[name] = session.options[name]
  end
  options.timeout = math.min(math.max(number(session.options.timeout) or LIFETIME, LIFETIME), MOST)
  for name, value in pairs(given) do
    options[name] = value
  end
  return options
end

-- Which commands somebody has typed into: their numbers are in the records of what was typed.
local function inputs_of(session)
  local last, typed = nil, {}
  for _, step in ipairs(session.steps) do
    if step.event == "command" then
      last = step.record
    elseif step.event == "input" and last then
      typed[last] = true
    end
  end
  return typed
end

--- Do a session again, in a sandbox without any network and mounts unless `given` says otherwise.
---@param session codecell.AuditSession
---@param given table? options of create
---@param each (fun(step: codecell.RerunStep))? told of each step
---@return codecell.RerunReport? report
---@return codecell.Error? err no sandbox could be made
function rerun.run(session, given, each)
  local sandbox, err = create.create(options_of(session, given or {}))
  if not sandbox then
    return nil, err
  end
  local self = { sandbox = sandbox, contexts = {}, inputs = inputs_of(session),
    keeping = { _audit = { output = true } } }
  local report = { same = true, steps = {}, different = 0, skipped = 0 }
  for _, step in ipairs(session.steps) do
    if not step.within and not SILENT[step.event] then
      local done = do_again(self, step)
      report.steps[#report.steps + 1] = done
      report.different = report.different + (done.same == false and 1 or 0)
      report.skipped = report.skipped + (done.same == nil and 1 or 0)
      if each then
        each(done)
      end
    end
  end
  sandbox:close()
  report.same = report.different == 0
  if #report.steps == 0 then
    return nil, errors.new("not_found", "rerun: nothing was done in it, or nothing was kept")
  end
  return report
end

return rerun
