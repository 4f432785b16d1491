--- The info string of a fence: ```python title="a.py" {1,3-4}
local language = require "codecell.agent.blocks.language"

local info = {}

-- An info string is one line, but a hostile one may be megabytes; nobody writes more than this.
local SIZE_MAX = 4096
local PATH_MAX = 1024

-- One `key=value`, `key="value"`, `.class`, `#id` or bare word at `position`.
local function read_attribute(text, position, attrs)
  local key, stop = text:match("^([%w_:.-]+)%s*=%s*()", position)
  if key then
    local quote = text:match("^[\"']", stop)
    if quote then
      local last = text:find(quote, stop + 1, true)
      if last then
        attrs[key] = text:sub(stop + 1, last - 1)
        return last + 1
      end
    end
    local value, past = text:match("^([^%s,}]*)()", stop)
    attrs[key] = value
    return past
  end
  local mark, name, past = text:match("^([.#])([%w_:-]+)()", position)
  if mark == "." then
    attrs.classes = attrs.classes or {}
    table.insert(attrs.classes, name)
    return past
  elseif mark then
    attrs.id = name
    return past
  end
  name, past = text:match("^([^%s,={}]+)()", position)
  if name then
    attrs[name] = true
  end
  return past or position + 1
end

-- What is inside braces: line numbers ("1,3-4") or attributes.
local function read_group(text, attrs)
  if text:find("^%s*%d[%d%s,-]*$") then
    attrs.lines = (text:gsub("%s+", ""))
    return
  end
  local position = 1
  while position <= #text do
    local at = text:match("^[%s,]*()", position)
    if at > #text then
      break
    end
    position = read_attribute(text, at, attrs)
  end
end

-- What follows the first word.
local function read_rest(text, attrs)
  local position = 1
  while position <= #text do
    local at = text:match("^[%s,]*()", position)
    if at > #text then
      break
    end
    local inside, past = text:match("^{([^}]*)}?()", at)
    if inside then
      read_group(inside, attrs)
      position = past
    else
      position = read_attribute(text, at, attrs)
    end
  end
end

-- "python:src/main.py" and "12:15:src/main.py" are how some models name a file.
local function split_filename(word, attrs)
  if #word > PATH_MAX then
    return word
  end
  local from, to, path = word:match("^(%d+):(%d+):(.+)$")
  if path then
    attrs.lines, attrs.filename = from .. "-" .. to, path
    return path:match("%.([%w_+-]+)$") or ""
  end
  local name, file = word:match("^([^:]+):(.*[./].*)$")
  if name and not name:find("^%a$") then
    attrs.filename = file
    return name
  end
  local extension = word:match("^.*%.(%a[%w_+-]*)$")
  if extension and language.resolve(extension) and not language.resolve(word) then
    attrs.filename = word
    return extension
  end
  return word
end

--- Take an info string apart.
---@param text string what follows the fence, without white space around it
---@return string word the word for the language as written, "" if there is none
---@return table attrs `title`, `filename`, `lines`, `id`, `classes`, and what else was said
function info.parse(text)
  local attrs = {}
  text = text:sub(1, SIZE_MAX)
  local inside, rest = text:match("^{([^}]*)}?(.*)$")
  if inside then
    -- {python}, {.python .numberLines}, {r echo=FALSE}
    local word, others = inside:match("^%s*[.%%=]?([^%s,={}]+)(.*)$")
    if word and others:find("^%s*=") then
      word, others = "", inside -- {key=value}: no language among them
    end
    if (word or ""):find("^%d[%d,-]*$") then
      word, others = "", inside
    end
    read_group(others or inside, attrs)
    read_rest(rest, attrs)
    return word or "", attrs
  end
  local word
  word, rest = text:match("^[.%%]*([^%s{,]*)(.*)$")
  if word:find("=", 1, true) then
    read_rest(text, attrs)
    return "", attrs
  end
  read_rest(rest, attrs)
  word = split_filename(word, attrs)
  return word, attrs
end

-- `# lang: lua`, `// language=javascript`, `-- lang: lua`, in the first line of an untagged block.
local function comment_word(line)
  local word = line:match("^%s*[#/%-;%%*<!(]+%s*[Ll]ang%s*[:=]%s*([%w+#_.-]+)")
    or line:match("^%s*[#/%-;%%*<!(]+%s*[Ll]anguage%s*[:=]%s*([%w+#_.-]+)")
  if word then
    return word
  end
  return line:match("^#!%s*/%S*/env%s+%-S%s+([%w+_.-]+)")
    or line:match("^#!%s*/%S*/env%s+([%w+_.-]+)")
    or line:match("^#!%s*/%S*/([%w+_.-]+)")
end

--- The language that the first line of the code itself names, in a comment or after `#!`.
---@param code string
---@return string? word as written
function info.from_code(code)
  local line = code:sub(1, 200):match("^[\r\n]*([^\r\n]*)")
  return comment_word(line)
end

return info
