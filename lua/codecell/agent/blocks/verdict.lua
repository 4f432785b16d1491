--- What a finished block is: its language, whether it may run, and why not.
local call = require "codecell.agent.blocks.call"
local info = require "codecell.agent.blocks.info"
local language = require "codecell.agent.blocks.language"
local prompt = require "codecell.agent.blocks.prompt"
local unicode = require "codecell.agent.unicode"

local verdict = {}

local ROLES = { user = "in text of the user", tool = "in the result of a tool" }

-- Bytes that look right to a reader and wrong to an interpreter.
local SUSPECTS = {
  { "\226\128[\152\153\156\157]", "typographic quotes" },
  { "[\1-\127][\145-\148]", "typographic quotes (Windows-1252)", "invalid" },
  { "\194\160", "a no-break space" },
  { "\226\128[\139-\141]", "a zero-width character" },
  { "\226\128[\170-\174]", "a bidirectional control character" },
  { "\226\129[\166-\169]", "a bidirectional control character" },
}

local function line_of(code, position)
  local _, count = code:sub(1, position):gsub("\n", "")
  return count + 1
end

local function warn(block, text, position)
  block.warnings = block.warnings or {}
  table.insert(block.warnings, ("%s in line %d"):format(text, line_of(block.code, position)))
end

local function inspect(block)
  local code = block.code
  local bad = unicode.invalid(code)
  for _, suspect in ipairs(SUSPECTS) do
    local at = (not suspect[3] or bad) and code:find(suspect[1])
    if at then
      warn(block, suspect[2], at)
    end
  end
  local zero = code:find("\0", 1, true)
  if zero then
    warn(block, "a NUL byte", zero)
  end
  if bad then
    warn(block, "bytes that are not UTF-8", bad)
  end
end

-- The caller's set, list or function of what can run; else what this machine has.
local function can_run(name, languages)
  languages = languages or require("codecell.languages").available()
  if type(languages) == "function" then
    return languages(name)
  elseif languages[name] then
    return true
  end
  for _, other in ipairs(languages) do
    if other == name then
      return true
    end
  end
  return false
end

local function find_language(block, work, opts)
  local name, is_session = work.language, work.is_session
  if not name and work.word == "" then
    local word = info.from_code(block.code)
    if word then
      name = language.resolve(word, opts.aliases)
    end
    name = name or opts.untagged
  end
  if name == "json" and opts.calls then
    local word, code = call.read(block.code)
    if word then
      block.raw, block.code = block.code, code
      name, is_session = language.resolve(word, opts.aliases)
      work.word = word
    end
  end
  block.language = name
  return is_session
end

-- Why a block that is not closed must not run, or nil.
local function open_reason(block, opts, stop_reason)
  if block.closed then
    return nil
  elseif block.why then
    return block.why
  elseif opts.unclosed == "run" or opts.unclosed == nil and stop_reason == "stop_sequence" then
    return nil
  end
  return "not closed: the text ended first"
    .. (stop_reason and (" (%s)"):format(stop_reason) or "")
end

-- Why this language does not run, or nil.
local function language_reason(block, work, opts)
  local name = block.language
  if not name then
    if work.word ~= "" then
      return "language unknown: " .. work.word:sub(1, 64)
    end
    return "no language given"
  elseif name == "output" then
    return "output block"
  elseif language.is_data(name) then
    return "data block: " .. name
  end
  local can, reason = can_run(name, opts.languages)
  if not can then
    return reason or ("language not installed: " .. name)
  end
  return nil
end

-- Words of an info string that say that the block is not to run: `python example`, `{.py .output}`.
local OFF = { "example", "expected", "ignore", "no-run", "no_run", "noexec", "norun", "output",
  "sample" }

local function is_switched_off(attrs)
  local classes = {}
  for _, name in ipairs(attrs.classes or {}) do
    classes[name] = true
  end
  for _, name in ipairs(OFF) do
    if classes[name] or attrs[name] == true or attrs[name] == "true" then
      return true
    end
  end
  return type(attrs.eval) == "string" and attrs.eval:lower() == "false"
end

--- Complete a block whose code is known.
---@param block codecell.Block
---@param work table the parser's notes: `word`, `language`, `is_session`
---@param opts table options of the parser
---@param stop_reason string? why the text ended, for a block that is still open
function verdict.reach(block, work, opts, stop_reason)
  local is_session = find_language(block, work, opts)
  local typed, expected = prompt.split(block.code, block.language, is_session)
  if typed then
    block.raw, block.code = block.raw or block.code, typed
    block.expected = expected ~= "" and expected or nil
  end
  inspect(block)
  block.why = ROLES[opts.role]
    or work.place_reason
    or open_reason(block, opts, stop_reason)
    or language_reason(block, work, opts)
    or is_switched_off(block.attrs) and "switched off in its info string"
    or not block.code:find("%S") and "empty block"
    or nil
  block.runnable = block.why == nil
end

return verdict
