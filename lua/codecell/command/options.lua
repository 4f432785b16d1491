--- Options of a command line: their table read against the words typed, and
--- their help.
---
--- A command describes each option as `{ name =, short =, value =, kind =, repeated =, choices =,
--- help = }`. Without `value` it is a flag. `kind` says what the value must be: "text" (default;
--- one of `choices`, if there are any), "name" (one line), "count" (with `most`, default 1000),
--- "number", "seconds", "size" (bytes, with K, M or G), "network", "packages", "mount" or "pair"
--- (NAME=VALUE).
local nearest = require "codecell.nearest"

local options = {}

local SECONDS_MAX = 86400

local read = {}

function read.text(word, option)
  for _, choice in ipairs(option.choices or {}) do
    if choice == word then
      return word
    end
  end
  if option.choices then
    return nil, "needs one of " .. table.concat(option.choices, ", ")
  end
  return word
end

function read.seconds(word)
  local number = tonumber(word)
  if not number or not (number > 0 and number <= SECONDS_MAX) then
    return nil, "needs seconds above 0 and at most " .. SECONDS_MAX
  end
  return number
end

local COUNT_MAX = 1000

function read.count(word, option)
  local number, most = tonumber(word), option.most or COUNT_MAX
  if not number or number % 1 ~= 0 or number < 0 or number > most then
    return nil, "needs a whole number from 0 to " .. most
  end
  return number
end

function read.number(word, option)
  local number, most = tonumber(word), option.most or COUNT_MAX
  if not number or not (number > 0 and number <= most) then
    return nil, ("needs a number above 0 and at most %.0f"):format(most)
  end
  return number
end

local UNITS = { [""] = 1, K = 2 ^ 10, M = 2 ^ 20, G = 2 ^ 30 }

function read.size(word)
  local digits, unit = word:upper():match("^(%d+)([KMG]?)I?B?$")
  if not digits or #digits > 12 or tonumber(digits) == 0 then
    return nil, "needs a size, as 512M or 2G"
  end
  return tonumber(digits) * UNITS[unit]
end

function read.name(word)
  if word == "" or word:find "%c" then
    return nil, "needs a name without control characters"
  end
  return word
end

-- "none", "open", or what `allow` holds, with commas between.
function read.network(word)
  if word == "none" or word == "open" then
    return word
  end
  local given = { allow = {} }
  for entry in word:gmatch "[^,]+" do
    table.insert(given.allow, entry)
  end
  local ok, problem = pcall(require("codecell.network").policy, "--network", given, 0)
  if not ok or #given.allow == 0 then
    return nil, "needs none, open, or names with commas between"
      .. (ok and "" or " (" .. problem:gsub("^.-network: ", "") .. ")")
  end
  return given
end

-- "none", "all", or the names that the code may install, with commas between.
function read.packages(word)
  if word == "none" or word == "all" then
    return word == "all" and { packages = true } or {}
  end
  local names = require "codecell.packages.names"
  local allow = {}
  for name in word:gmatch "[^,]+" do
    if not names.python(name) and not names.npm(name) and not name:find("^%a%a%a:%S+$") then
      return nil, ("needs none, all, or names of packages with commas between; %s is none"):format(
        name)
    end
    allow[#allow + 1] = name
  end
  if #allow == 0 then
    return nil, "needs none, all, or names of packages with commas between"
  end
  return { packages = { allow = allow } }
end

local MOUNT_MODES = { overlay = true, read = true, write = true }

-- From its end, since a folder's name may have colons: HOST[:PATH[:MODE]], or HOST:MODE.
function read.mount(word)
  local rest, mode = word:match("^(.+):(%l+)$")
  if not MOUNT_MODES[mode] then
    if word:find(":[/~][^:]*:%l+$") then
      return nil, "has a mode that is none of read, overlay and write"
    end
    rest, mode = word, nil
  end
  local host, path = rest:match("^(.+):([/~][^:]*)$")
  host = host or rest
  if host == "" or host:find "%c" then
    return nil, "needs HOST[:PATH[:read|overlay|write]]"
  end
  return { host = host, path = path, mode = mode }
end

function read.pair(word)
  local name, value = word:match("^([^=%c]+)=(.*)$")
  if not name then
    return nil, "needs NAME=VALUE"
  end
  return { name, value }
end

local function find(specification, key, name)
  for _, option in ipairs(specification) do
    if option[key] == name then
      return option
    end
  end
end

local function unknown(specification, word)
  local names = {}
  for _, option in ipairs(specification) do
    names[#names + 1] = "--" .. option.name
  end
  local near = nearest(word, names)
  return "unknown option " .. word .. (near and "; did you mean " .. near .. "?" or "")
end

local function store(result, option, spelled, word)
  local value, message = read[option.kind or "text"](word, option)
  if value == nil then
    return nil, ("%s %s, not %q"):format(spelled, message, word)
  end
  if option.repeated then
    result[option.name] = result[option.name] or {}
    table.insert(result[option.name], value)
  elseif result[option.name] ~= nil then
    return nil, spelled .. " is given twice"
  else
    result[option.name] = value
  end
  return true
end

-- The option that a word spells, and the value that is in the same word.
local function recognize(specification, word)
  local name, value = word:match("^%-%-([^=]+)=(.*)$")
  if name then
    return find(specification, "name", name), "--" .. name, value
  end
  if word:sub(1, 2) == "--" then
    return find(specification, "name", word:sub(3)), word
  end
  local option = find(specification, "short", word:sub(2, 2))
  return option, word:sub(1, 2), #word > 2 and word:sub(3) or nil
end

--- Read the words behind a command's name.
---@param specification table[] the command's options
---@param words string[]
---@param stops boolean? at the first word that is none: it and all behind it are arguments
---@return table<string, any>? given option values by long name; flags are true
---@return string[]|string arguments what is no option, or what is wrong
function options.parse(specification, words, stops)
  local given, arguments = {}, {}
  local i = 1
  while i <= #words do
    local word = words[i]
    local is_plain = word == "-" or word:sub(1, 1) ~= "-"
    if word == "--" or stops and is_plain then
      for j = word == "--" and i + 1 or i, #words do
        arguments[#arguments + 1] = words[j]
      end
      break
    elseif is_plain then
      arguments[#arguments + 1] = word
    else
      local option, spelled, value = recognize(specification, word)
      if not option then
        return nil, unknown(specification, spelled)
      elseif not option.value then
        if value then
          return nil, spelled .. " takes no value"
        end
        given[option.name] = true
      else
        if not value then
          i = i + 1
          value = words[i]
        end
        if not value then
          return nil, spelled .. " needs a value: " .. option.value
        end
        local stored, message = store(given, option, spelled, value)
        if not stored then
          return nil, message
        end
      end
    end
    i = i + 1
  end
  return given, arguments
end

--- The lines of a command's help that list its options.
---@param specification table[]
---@return string
function options.help(specification)
  local lines = {}
  for _, option in ipairs(specification) do
    local spelled = (option.short and "-" .. option.short .. ", " or "    ")
      .. "--" .. option.name .. (option.value and " " .. option.value or "")
    lines[#lines + 1] = ("  %-26s %s\n"):format(spelled, option.help)
  end
  return table.concat(lines)
end

local UNITS_OF = {
  seconds = "is a number of seconds above 0, at most " .. SECONDS_MAX,
  size = "is a number of bytes, or as 512K, 64M, 2G",
}

--- The lines below them that say in which unit values are.
---@param specification table[]
---@return string
function options.units(specification)
  local lines, told = {}, {}
  for _, option in ipairs(specification) do
    local unit = UNITS_OF[option.kind]
    if unit and not told[option.value] then
      told[option.value] = true
      lines[#lines + 1] = ("  %s %s.\n"):format(option.value, unit)
    end
  end
  return lines[1] and "\n" .. table.concat(lines) or ""
end

return options
