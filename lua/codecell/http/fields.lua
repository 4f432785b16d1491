--- The fields of HTTP messages: their shape in Lua, and what one may be.
local fields = {}

--- Of a request and of an answer that are passed on; no side of the library takes many more.
fields.passed_most = 200

---@class codecell.Fields: table<string, string>
---@field [integer] string[] {name, value}, in their order; besides, the value of each by its name
---in lower case (several of one name joined by ", ")

local TOKEN = "^[%w!#%$%%&'%*%+%-%.%^_`|~]+$"

--- Whether a text can be the name of a field, or a method.
---@param text any
---@return boolean
function fields.is_token(text)
  return type(text) == "string" and text:find(TOKEN) ~= nil
end

--- Whether a text can be the value of a field: no line end and no NUL.
---@param text any
---@return boolean
function fields.is_value(text)
  return type(text) == "string" and not text:find("[%z\r\n]")
end

--- Add one.
---@param list codecell.Fields
---@param name string
---@param value string
function fields.add(list, name, value)
  local lower = name:lower()
  list[#list + 1] = { name, value }
  list[lower] = list[lower] and list[lower] .. ", " .. value or value
end

-- A whole line from its beginning, up to its end; blanks after the value are still in it.
local LINE = "^([%w!#%$%%&'%*%+%-%.%^_`|~]+):[ \t]*([^%z\r\n]*)()"

--- What "Name: value" lines say; what is no such line is left out.
---@param text string
---@return codecell.Fields
function fields.parse(text)
  local list, at = {}, text:find("[^\r\n]")
  while at do
    local name, value, stop = text:match(LINE, at)
    local after = name and text:byte(stop)
    if name and (not after or after == 13 or after == 10) then
      local last = value:byte(-1)
      if last == 32 or last == 9 then
        -- Greedy: blanks within a value are looked at once, however many they are.
        value = value:match("^.*[^ \t]")
      end
      fields.add(list, name, value)
    else
      stop = text:find("[\r\n]", at)
    end
    at = stop and text:find("[^\r\n]", stop)
  end
  return list
end

--- A list of pairs, or a table by name, as a list.
---@param what string for messages: "request: headers"
---@param given table?
---@param level integer stack level to blame for one that is none: 1 is the caller of this
---@return codecell.Fields
function fields.check(what, given, level)
  local list = {}
  local function add(name, value)
    if type(value) == "number" then
      value = tostring(value)
    end
    if not fields.is_token(name) then
      error(("%s: %s cannot be the name of a field"):format(what, tostring(name)), level + 2)
    elseif not fields.is_value(value) then
      error(("%s: %s: a string without NUL, CR and LF expected"):format(what, name), level + 2)
    end
    fields.add(list, name, value)
  end
  if given ~= nil and type(given) ~= "table" then
    error(("%s: table expected, got %s"):format(what, type(given)), level + 1)
  end
  for i = 1, given and #given or 0 do
    local pair = given[i]
    if type(pair) ~= "table" then
      error(("%s: {name, value} expected, got %s"):format(what, type(pair)), level + 1)
    end
    add(pair[1], pair[2])
  end
  if given and #given == 0 then
    for name, value in pairs(given) do
      add(name, value)
    end
  end
  return list
end

-- Of one connection, and not of the message: what is passed on has its own.
local HOP_BY_HOP = {
  connection = true, ["keep-alive"] = true, ["proxy-authenticate"] = true,
  ["proxy-authorization"] = true, ["proxy-connection"] = true, te = true, trailer = true,
  ["transfer-encoding"] = true, upgrade = true,
}

--- Whether a field belongs to one connection alone.
---@param name string
---@return boolean
function fields.is_hop_by_hop(name)
  return HOP_BY_HOP[name:lower()] == true
end

--- Without those that belong to the connection alone, its `Connection` saying of which else.
---@param list codecell.Fields
---@return codecell.Fields
function fields.end_to_end(list)
  local named, kept = {}, {}
  for name in (list.connection or ""):gmatch("[^,%s]+") do
    named[name:lower()] = true
  end
  for i = 1, #list do
    local name, value = list[i][1], list[i][2]
    if not fields.is_hop_by_hop(name) and not named[name:lower()] then
      fields.add(kept, name, value)
    end
  end
  return kept
end

return fields
