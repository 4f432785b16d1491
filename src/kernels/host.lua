--- Functions of the program that runs this sandbox, called by the command `host`:
---
---     local tools = require("host").tools
---     tools.search("x", { limit = 3 })
---
--- What such a function raises is raised here. Null is nil, and host.null within a table.
local host = {}

host.null = setmetatable({}, { __tostring = function() return "null" end })

-- ---- JSON ----

local encode

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function quote(text)
  return '"' .. text:gsub('[%c"\\]', function(letter)
    return escapes[letter] or ("\\u%04x"):format(letter:byte())
  end) .. '"'
end

local function encode_table(value, depth)
  local pieces = {}
  if depth > 200 then
    error("a table is nested deeper than 200, or in itself", 0)
  elseif value[1] ~= nil then
    for i = 1, #value do
      pieces[i] = encode(value[i], depth + 1)
    end
    return "[" .. table.concat(pieces, ",") .. "]"
  end
  for key, item in pairs(value) do
    pieces[#pieces + 1] = quote(tostring(key)) .. ":" .. encode(item, depth + 1)
  end
  return "{" .. table.concat(pieces, ",") .. "}"
end

function encode(value, depth)
  local kind = type(value)
  if value == nil or value == host.null then
    return "null"
  elseif kind == "table" then
    return encode_table(value, depth)
  elseif kind == "string" then
    return quote(value)
  elseif kind == "boolean" then
    return tostring(value)
  elseif kind ~= "number" or value ~= value or value == math.huge or value == -math.huge then
    error(("%s has no JSON"):format(kind == "number" and tostring(value) or "a " .. kind), 0)
  elseif value % 1 == 0 and value > -2 ^ 53 and value < 2 ^ 53 then
    return ("%.0f"):format(value)
  end
  return ("%.17g"):format(value)
end

local function utf8_of(code)
  local floor = math.floor
  if code < 128 then
    return string.char(code)
  elseif code < 2048 then
    return string.char(192 + floor(code / 64), 128 + code % 64)
  end
  return string.char(224 + floor(code / 4096), 128 + floor(code / 64) % 64, 128 + code % 64)
end

local unescapes = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

-- What the host writes escapes control characters alone by their numbers: there are no pairs.
local function unquote(text)
  return (text:gsub("\\(u?)(%x?%x?%x?%x?)(.?)", function(is_code, digits, letter)
    if is_code == "u" then
      return utf8_of(tonumber(digits, 16)) .. letter
    elseif digits ~= "" then
      local first = digits:sub(1, 1)
      return (unescapes[first] or first) .. digits:sub(2) .. letter
    end
    return unescapes[letter] or letter
  end))
end

local decode

local words = { ["true"] = true, ["false"] = false, null = host.null }

local function decode_many(text, at, close, add)
  at = text:find("%S", at + 1)
  while text:sub(at, at) ~= close do
    at = add(at)
    at = text:find("%S", at)
    if text:sub(at, at) == "," then
      at = text:find("%S", at + 1)
    end
  end
  return at + 1
end

local function end_of_text(text, at)
  local stop = at
  repeat
    stop = text:find('["\\]', stop + 1)
    local is_end = text:sub(stop, stop) == '"'
    stop = is_end and stop or stop + 1
  until is_end
  return stop
end

function decode(text, at)
  at = text:find("%S", at)
  local first = text:sub(at, at)
  if first == '"' then
    local stop = end_of_text(text, at)
    return unquote(text:sub(at + 1, stop - 1)), stop + 1
  elseif first == "[" then
    local list, count = {}, 0
    return list, decode_many(text, at, "]", function(from)
      count = count + 1
      list[count], from = decode(text, from)
      return from
    end)
  elseif first == "{" then
    local object = {}
    return object, decode_many(text, at, "}", function(from)
      local key
      key, from = decode(text, from)
      object[key], from = decode(text, text:find(":", from, true) + 1)
      return from
    end)
  end
  local word = text:match("^[%w+.-]+", at)
  if words[word] ~= nil then
    return words[word], at + #word
  end
  return tonumber(word), at + #word
end

-- ---- calls ----

local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- What the command prints, and whether it has failed.
local function run(name, arguments)
  local folder = os.getenv("CODECELL_HOST")
  if not folder then
    error("the host has exposed nothing", 0)
  end
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(arguments)
  file:close()
  local program = io.popen(("%s %s %s <%s 2>&1; echo $?"):format(quoted(folder .. "/bin/host"),
    name, arguments ~= "" and "-" or "", quoted(path)))
  local printed = program:read("*a")
  program:close()
  os.remove(path)
  local text, status = printed:match("^(.*)\n(%d+)\n$")
  return text, status
end

local function call(name, ...)
  local pieces = {}
  for i = 1, select("#", ...) do
    pieces[i] = encode((select(i, ...)), 1)
  end
  local text, status = run(name, table.concat(pieces, ","))
  if status ~= "0" then
    error(text or name .. ": the host does not answer", 0)
  end
  local value = decode(text, 1)
  if value == host.null then
    return nil
  end
  return value
end

local functions = {}

function functions.__index(self, called)
  local full = rawget(self, "_name") .. "." .. called
  local function one(...)
    return call(full, ...)
  end
  rawset(self, called, one)
  return one
end

return setmetatable(host, {
  __index = function(self, name)
    local made = setmetatable({ _name = name }, functions)
    rawset(self, name, made)
    return made
  end,
})
