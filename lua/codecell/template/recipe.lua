--- Files that say how a template is built: a subset of Dockerfiles, or a list of packages.
local errors = require "codecell.errors"

local recipe = {}

local function fail(name, line, text, ...)
  return nil, errors.new("invalid_argument", ("%s:%d: %s"):format(name, line, text:format(...)))
end

-- Lines with their numbers, those that end in "\" joined with the next; without comments.
local function logical_lines(text)
  local lines, number, open = {}, 0, nil
  for line in (text:gsub("\r\n", "\n") .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    local is_comment = line:find("^%s*#") or line:find("^%s*$")
    if not is_comment then
      local body, continues = line:gsub("\\%s*$", "")
      if open then
        open.text = open.text .. body
      else
        open = { number = number, text = body:gsub("^%s+", "") }
        lines[#lines + 1] = open
      end
      if continues == 0 then
        open = nil
      end
    end
  end
  for _, line in ipairs(lines) do
    line.text = line.text:gsub("%s+$", "")
  end
  return lines
end

-- Words, with quotes and backslashes as a shell has them; nil where a quote is left open.
local function words_of(text)
  local words, word, quote = {}, nil, nil
  local i = 1
  while i <= #text do
    local letter = text:sub(i, i)
    if quote and letter == quote then
      quote = nil
    elseif letter == "\\" and quote ~= "'" and i < #text then
      i = i + 1
      word = (word or "") .. text:sub(i, i)
    elseif not quote and (letter == '"' or letter == "'") then
      quote, word = letter, word or ""
    elseif not quote and letter:find("%s") then
      words[#words + 1] = word
      word = nil
    else
      word = (word or "") .. letter
    end
    i = i + 1
  end
  words[#words + 1] = word
  return not quote and words or nil
end

-- "$NAME" and "${NAME}", of the ENVs above.
local function expand(text, envs)
  return (text:gsub("%$(%b{})", function(name)
    return envs[name:sub(2, -2)] or ""
  end):gsub("%$([%a_][%w_]*)", function(name)
    return envs[name] or ""
  end))
end

local instructions = {}

function instructions.FROM(state, line, rest)
  local words = words_of(rest) or {}
  if state.result.from then
    return fail(state.name, line, "a second FROM: there is one stage")
  elseif #words ~= 1 then
    return fail(state.name, line, "FROM needs one folder or template, without AS")
  elseif #state.result.steps > 0 then
    return fail(state.name, line, "FROM must come first")
  end
  state.result.from = words[1]
  for key, value in pairs(state.envs_of(words[1])) do
    state.envs[key] = value
  end
  return true
end

function instructions.RUN(state, line, rest)
  if rest:find("^<<") or rest:find("^%-%-") then
    return fail(state.name, line, "RUN takes a command: no here-document, no options")
  end
  local command = rest
  if rest:find("^%[") then
    local argv = require("codecell.json").decode(rest)
    if type(argv) ~= "table" or type(argv[1]) ~= "string" then
      return fail(state.name, line, "RUN needs a command or a JSON list of words")
    end
    for i = 2, #argv do
      if type(argv[i]) ~= "string" then
        return fail(state.name, line, "RUN needs a JSON list of words")
      end
    end
    command = argv
  end
  table.insert(state.result.steps, { kind = "run", command = command, line = line })
  return true
end

function instructions.ENV(state, line, rest)
  local name, value = rest:match("^([%a_][%w_]*)%s+(.+)$")
  local envs = {}
  if name then
    envs[name] = expand(value, state.envs)
  else
    for _, word in ipairs(words_of(rest) or {}) do
      local key, text = word:match("^([%a_][%w_]*)=(.*)$")
      if not key then
        return fail(state.name, line, "ENV needs NAME=VALUE, not %q", word)
      end
      envs[key] = expand(text, state.envs)
    end
  end
  if next(envs) == nil then
    return fail(state.name, line, "ENV needs NAME=VALUE")
  end
  for key, text in pairs(envs) do
    state.envs[key] = text
  end
  table.insert(state.result.steps, { kind = "env", envs = envs, line = line })
  return true
end

function instructions.WORKDIR(state, line, rest)
  local words = words_of(rest) or {}
  if #words ~= 1 then
    return fail(state.name, line, "WORKDIR needs one folder")
  end
  table.insert(state.result.steps, { kind = "workdir", path = expand(words[1], state.envs),
    line = line })
  return true
end

-- What COPY names lies in the folder of the file, or below it.
local function is_inside(path)
  return path:sub(1, 1) ~= "/" and not ("/" .. path .. "/"):find("/../", 1, true)
end

function instructions.COPY(state, line, rest)
  local words = words_of(rest) or {}
  if #words < 2 or words[1]:find("^%-%-") or rest:find("^%[") then
    return fail(state.name, line, "COPY needs names and a place: COPY data.csv tools/ work/; no "
      .. "options")
  end
  local to = expand(table.remove(words), state.envs)
  if #words > 1 and to:sub(-1) ~= "/" then
    return fail(state.name, line, "COPY of several names needs a folder: end %q with \"/\"", to)
  end
  for _, word in ipairs(words) do
    local from = expand(word, state.envs)
    if not is_inside(from) then
      return fail(state.name, line, "COPY takes what lies beside this file or below it, not %q",
        from)
    elseif from:find("[*?%[]") then
      return fail(state.name, line, "COPY takes no patterns: %q; name the folder", from)
    end
    table.insert(state.result.steps, { kind = "copy", from = state.folder .. "/" .. from, to = to,
      line = line })
  end
  return true
end

local function read_dockerfile(name, folder, lines, envs_of)
  local state = { name = name, folder = folder, envs = {}, envs_of = envs_of,
    result = { steps = {} } }
  for _, line in ipairs(lines) do
    local word, rest = line.text:match("^(%S+)%s*(.*)$")
    local instruction = instructions[word:upper()]
    if not instruction then
      return fail(name, line.number,
        "%s is not understood; known are FROM, RUN, COPY, ENV, WORKDIR", word)
    elseif rest == "" then
      return fail(name, line.number, "%s needs something behind it", word)
    end
    local ok, err = instruction(state, line.number, rest)
    if not ok then
      return nil, err
    end
  end
  return state.result
end

local function read_list(name, lines)
  local python, npm = {}, {}
  for _, line in ipairs(lines) do
    local text = line.text:gsub("%s+#.*$", "")
    local own = text:match("^npm:%s*(.+)$")
    if own and not own:find("%s") then
      npm[#npm + 1] = own
    elseif own or not text:find("^[%w]") then
      return fail(name, line.number, "a package expected: numpy, pandas>=2, npm:left-pad@1.3.0; "
        .. "not %q", text)
    else
      python[#python + 1] = text
    end
  end
  return { steps = {}, python = python, npm = npm }
end

--- Read the text of such a file. It is a Dockerfile if its first line says FROM, RUN, COPY, ENV or
--- WORKDIR, or if its name says so; else a list: a Python package a line as pip takes it,
--- "npm:NAME" for one of npm, and comments behind "#".
---@param name string of the file, for messages
---@param folder string that COPY is relative to
---@param text string
---@param envs_of fun(from: string): table<string, string> variables of what FROM names
---@return {from: string?, steps: table[], python: string[]?, npm: string[]?}? recipe
---@return codecell.Error? err kind "invalid_argument", with the line
function recipe.read(name, folder, text, envs_of)
  local lines = logical_lines(text)
  if not lines[1] then
    return nil, errors.new("invalid_argument", name .. ": it says nothing")
  end
  local base = name:match("[^/]+$"):lower()
  local first = lines[1].text:match("^%S+"):upper()
  if instructions[first] or base:find("^dockerfile") or base:find("%.dockerfile$") then
    return read_dockerfile(name, folder, lines, envs_of)
  end
  return read_list(name, lines)
end

return recipe
