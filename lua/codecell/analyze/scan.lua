--- Words of programs without their comments and texts: what is imported, as far as it is written
--- out.
local scan = {}

local NAMES_MOST, NAME_MOST = 1000, 200

-- The places of line ends, so that many lines are counted once.
local function line_counter(code)
  local at, line = 1, 1
  return function(position)
    while true do
      local found = code:find("\n", at, true)
      if not found or found >= position then
        return line
      end
      at, line = found + 1, line + 1
    end
  end
end

local function collector(code)
  local list, seen, line_of = {}, {}, line_counter(code)
  return list, function(name, position)
    if name ~= "" and #name <= NAME_MOST and not name:find("[%c]") and not seen[name]
      and #list < NAMES_MOST then
      seen[name] = true
      list[#list + 1] = { name = name, line = line_of(position) }
    end
  end
end

-- "lodash/fp" is of lodash, "@scope/name/file" of @scope/name; a path is of nothing.
local function npm_package(specifier)
  if specifier:find("^[./#]") or specifier:find("^%a+:") and not specifier:find("^node:") then
    return ""
  end
  return specifier:match("^@[^/]+/[^/]+") or specifier:match("^[^/]+/?") and
    specifier:match("^([^/]+)") or ""
end

-- What stands before a text for it to be a module: `from "x"`, `import "x"`, `require("x")`.
local function is_import(before)
  return before:find("%f[%w_$]from%s*$") or before:find("%f[%w_$]import%s*$")
    or before:find("%f[%w_$]import%s*%(%s*$") or before:find("%f[%w_$]require%s*%(%s*$")
end

local BEFORE = 40 -- bytes before a text that are looked at

--- The packages that a program of JavaScript or TypeScript imports by name.
---@param code string
---@return {name: string, line: integer}[]
function scan.javascript(code)
  local list, add = collector(code)
  local at = 1
  while true do
    local first, _, mark = code:find("([\"'`/])", at)
    if not first then
      return list
    end
    local two = code:sub(first, first + 1)
    if two == "//" then
      at = (code:find("\n", first, true) or #code) + 1
    elseif two == "/*" then
      at = (select(2, code:find("*/", first + 2, true)) or #code) + 1
    elseif mark == "/" then
      at = first + 1
    elseif mark == "`" then
      at = (code:find("`", first + 1, true) or #code) + 1
    else
      local last = code:find("[\n" .. mark .. "]", first + 1) or #code
      if code:sub(last, last) == mark and is_import(code:sub(math.max(at, first - BEFORE),
        first - 1)) then
        add(npm_package(code:sub(first + 1, last - 1)), first)
      end
      at = last + 1
    end
  end
end

-- Past a comment or a long text of Lua that begins here.
local function past_long(code, first)
  local marks, past = code:match("^%[(=*)%[()", first)
  if not marks then
    return nil
  end
  return (select(2, code:find("]" .. marks .. "]", past, true)) or #code) + 1
end

--- The modules that a program of Lua requires by name.
---@param code string
---@return {name: string, line: integer}[]
function scan.lua(code)
  local list, add = collector(code)
  local at = 1
  while true do
    local first, _, mark = code:find("([\"'%[-])", at)
    if not first then
      return list
    end
    local long = mark == "[" and past_long(code, first)
    if long then
      at = long
    elseif code:sub(first, first + 1) == "--" then
      at = past_long(code, first + 2) or (code:find("\n", first, true) or #code) + 1
    elseif mark == "[" or mark == "-" then
      at = first + 1
    else
      local last = code:find("[\n" .. mark .. "]", first + 1) or #code
      if code:sub(math.max(at, first - BEFORE), first - 1):find("%f[%w_]require%s*%(?%s*$") then
        add(code:sub(first + 1, last - 1), first)
      end
      at = last + 1
    end
  end
end

--- The headers that a program of C includes.
---@param code string
---@return {name: string, line: integer}[]
function scan.c(code)
  local list, add = collector(code)
  for position, name in ("\n" .. code):gmatch("\n()[ \t]*#[ \t]*include[ \t]*[<\"]([^>\"\n]+)") do
    add(name, position)
  end
  return list
end

return scan
