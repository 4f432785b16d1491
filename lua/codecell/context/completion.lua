--- What the word before the cursor may become: asked of the session that the code is for, which
--- alone knows its names. What it answers is of a sandbox, and bounded here.
local terminal = require "codecell.agent.terminal"
local wait = require "codecell.wait"

local TIMEOUT = 3 -- seconds that it may take
local MOST = 500 -- names
local NAME_MOST = 200 -- bytes

local completion = {}

local NAMES = [[
{
  const names = new Set();
  let object;
  try { object = OWNER; } catch { object = undefined; }
  const seen = object === undefined || object === null ? null : Object(object);
  for (let one = seen, depth = 0; one && depth < 20; depth++) {
    for (const name of Object.getOwnPropertyNames(one).slice(0, 20000))
      if (name.startsWith('START') && /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(name)) names.add(name);
    one = Object.getPrototypeOf(one);
  }
  console.log([...names].sort().slice(0, 500).join('\n'));
}
]]

local FIELDS = [[
do
  local found, seen = {}, {}
  local ok, object = pcall(function() return OWNER end)
  local function look(one, depth)
    if type(one) == "table" and depth < 8 then
      for name in next, one do
        if type(name) == "string" and not seen[name] and name:find("^[%a_][%w_]*$")
            and name:sub(1, #"START") == "START" and #found < 500 then
          seen[name], found[#found + 1] = true, name
        end
      end
    end
    local meta = depth < 8 and getmetatable(one)
    if type(meta) == "table" then look(rawget(meta, "__index"), depth + 1) end
  end
  if ok then look(object, 0) end
  table.sort(found)
  print(table.concat(found, "\n"))
end
]]

local function fill(code, owner, start)
  return (code:gsub("OWNER", (owner:gsub("%%", "%%%%"))):gsub("START", start))
end

-- Of each language: the word, and code that prints what it may become.
local asks = {}

function asks.javascript(before)
  local word = before:match("[%w_$.]*$")
  local owner, start = word:match("^([%a_$][%w_$.]*)%.([%w_$]*)$")
  if not owner and word:find("%.") then
    return nil
  end
  return word, fill(NAMES, owner or "globalThis", start or word), owner and owner .. "." or ""
end

asks.typescript = asks.javascript

function asks.lua(before)
  local word = before:match("[%w_.:]*$")
  local owner, mark, start = word:match("^([%a_][%w_.]*)([.:])([%w_]*)$")
  if not owner and word:find("[.:]") then
    return nil
  end
  return word, fill(FIELDS, owner or "_ENV or _G", start or word), owner and owner .. mark or ""
end

function asks.bash(before)
  local dollar, word = before:match("(%$?)([%w_./~+-]*)$")
  local is_first = before:sub(1, #before - #word):find("^%s*$")
    or before:sub(1, #before - #word):find("[|;&(`\n]%s*$")
  local sorts = dollar ~= "" and "-v" or is_first and "-c -f" or "-f"
  return word, ("compgen %s -- '%s' | sort -u | head -n 500"):format(sorts, word), ""
end

-- Text before the cursor to a list of names; Python has a request of its own.
local function ask(kernel, before)
  local language = kernel.context.language
  local job = { timeout = TIMEOUT, call = wait.call, is_awaited = true }
  local word, prefix
  if language == "python" then
    word, prefix = before:match("[%w_.\128-\255]*$"), ""
    job.sort, job.code = "completion", before
  elseif asks[language] then
    word, job.code, prefix = asks[language](before)
  end
  if not word or word == "" and language ~= "python" then
    return "", {}
  end
  local done = kernel:execute(job)
  if not done or done.error then
    return word, {}
  end
  local text = language == "python" and done.text or table.concat(done.logs.stdout)
  local names = {}
  for name in (text or ""):gmatch("[^\r\n]+") do
    name = prefix .. name
    if #names < MOST and #name <= NAME_MOST and terminal.visible(name) == name
      and name:sub(1, #word) == word then
      names[#names + 1] = name
    end
  end
  return word, names
end

--- Ask what the word at the end of a text may become.
---@param sandbox codecell.Sandbox
---@param context codecell.Context
---@param before string the code up to the cursor
---@return string word what is there of it
---@return string[] names that it may become; none of them where nobody knows
function completion.ask(sandbox, context, before)
  local kernel = sandbox.backend == "local"
    and sandbox._backend.contexts.kernel(sandbox, "complete", context)
  if not kernel or not before:find("%S") then
    return "", {}
  end
  return ask(kernel, before)
end

return completion
