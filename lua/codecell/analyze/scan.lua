--- Programs without their comments and texts: what is imported, as far as it is written out.
local scan = {}

local NAMES_MOST, NAME_MOST = 1000, 200
-- Bytes and texts that are looked at: code of nothing but marks would take long.
local CODE_MOST, TEXTS_MOST = 2 ^ 20, 20000

-- ---- comments and texts ----

-- What a comment or a text may begin with.
local MARKS = { c = "[\"'/]", cpp = "[\"'/]", javascript = "[\"'`/]", lua = "[\"'%[-]",
  php = "[\"'/#]", ruby = "[\"'#]", typescript = "[\"'`/]" }

local function end_of_line(code, first)
  return (code:find("\n", first, true) or #code + 1) - 1
end

local function through(code, words, from)
  return select(2, code:find(words, from, true)) or #code
end

-- The end of a text between marks, past what a backslash stands before; whether it is whole.
local function end_of_text(code, first, mark)
  local stops = mark == "`" and "[\\`]" or "[\\\n" .. mark .. "]"
  local at = first + 1
  while true do
    local found = code:find(stops, at)
    local stop = found and code:sub(found, found)
    if stop ~= "\\" then
      return stop == mark and found or (found or #code + 1) - 1, stop == mark
    end
    at = found + 2
  end
end

-- The end of a long comment or text of Lua; nil: none begins here.
local function end_of_long(code, first)
  local marks, past = code:match("^%[(=*)%[()", first)
  return marks and through(code, "]" .. marks .. "]", past)
end

-- The end of what begins here, and whether it is a text in whole; nil: nothing does.
local function past_mark(code, first)
  local mark, two = code:sub(first, first), code:sub(first, first + 1)
  if mark == "[" then
    return end_of_long(code, first), false
  elseif two == "--" then
    return end_of_long(code, first + 2) or end_of_line(code, first), false
  elseif two == "/*" then
    return through(code, "*/", first + 2), false
  elseif two == "//" or mark == "#" then
    return end_of_line(code, first), false
  elseif mark ~= "-" and mark ~= "/" then
    return end_of_text(code, first, mark)
  end
end

--- The code with blanks for its comments and texts: what is left is where it was.
---@param code string
---@param language string
---@return string plain
---@return {[1]: integer, [2]: integer}[] texts where those in quotes begin and end
function scan.plain(code, language)
  local pieces, texts, from, at = {}, {}, 1, 1
  local marks = MARKS[language]
  code = code:sub(1, CODE_MOST)
  while marks do
    local first = code:find(marks, at)
    if not first then
      break
    end
    local last, is_text = past_mark(code, first)
    if last then
      pieces[#pieces + 1] = code:sub(from, first - 1)
      pieces[#pieces + 1] = code:sub(first, last):gsub("[^\n]", " ")
      texts[#texts + 1] = is_text and #texts < TEXTS_MOST and { first, last } or nil
      from = last + 1
    end
    at = (last or first) + 1
  end
  pieces[#pieces + 1] = code:sub(from)
  return table.concat(pieces), texts
end

-- ---- imports ----

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
local IMPORTS = {
  javascript = { "%f[%w_$]from%s*$", "%f[%w_$]import%s*$", "%f[%w_$]import%s*%(%s*$",
    "%f[%w_$]require%s*%(%s*$" },
  lua = { "%f[%w_]require%s*%(?%s*$" },
}
local BEFORE = 40 -- bytes before a text that are looked at

-- What the texts behind these words name, made names of packages.
local function imports(code, language, name_of)
  local list, add = collector(code)
  local plain, texts = scan.plain(code, language)
  for _, text in ipairs(texts) do
    local before = plain:sub(math.max(1, text[1] - BEFORE), text[1] - 1)
    for _, pattern in ipairs(IMPORTS[language]) do
      if before:find(pattern) then
        add(name_of(code:sub(text[1] + 1, text[2] - 1)), text[1])
        break
      end
    end
  end
  return list
end

--- The packages that a program of JavaScript or TypeScript imports by name.
---@param code string
---@return {name: string, line: integer}[]
function scan.javascript(code)
  return imports(code, "javascript", npm_package)
end

--- The modules that a program of Lua requires by name.
---@param code string
---@return {name: string, line: integer}[]
function scan.lua(code)
  return imports(code, "lua", function(name)
    return name
  end)
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
