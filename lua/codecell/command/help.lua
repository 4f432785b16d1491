--- What a command says of itself. `--help`, the manual page and the completion of shells are all
--- made of its table:
---
---   name         as it is typed; set when it is found
---   summary      one line, for the list of all
---   usage        how it is typed
---   description  what it does, in lines of at most 90 characters
---   options      as command/options.lua has them
---   notes        more lines, below the options
---   parts        list of { NAME, TAKES }: its first word, and what comes behind that
---   takes        what its arguments are, if it has no parts: "file", "sandbox", ... of
---                command/completion.lua
---   stops_at_words  its options end at the first word that is none
---   statuses     what exit statuses mean, by number: those that others do not have
---   example      one line to type
local options = require "codecell.command.options"

local help = {}

-- What every command may end with.
local STATUSES = {
  [0] = "done",
  [2] = "bad usage",
  [125] = "codecell itself failed",
}

help.option = { name = "help", short = "h", help = "show this help" }

--- The options of a command, with those that all have.
---@param found table
---@return table[]
function help.options(found)
  local all = {}
  for i, option in ipairs(found.options) do
    all[i] = option
  end
  all[#all + 1] = help.option
  return all
end

--- What the exit statuses of a command mean, in order.
---@param found table
---@return {[1]: integer, [2]: string}[]
function help.statuses(found)
  local list = {}
  for number, meaning in pairs(STATUSES) do
    list[#list + 1] = { number, found.statuses and found.statuses[number] or meaning }
  end
  for number, meaning in pairs(found.statuses or {}) do
    if not STATUSES[number] then
      list[#list + 1] = { number, meaning }
    end
  end
  table.sort(list, function(one, other)
    return one[1] < other[1]
  end)
  return list
end

local WIDTH = 88

-- Parts with "; " between, in lines that fit.
local function fill(first, parts)
  local lines, line = {}, first
  for i, part in ipairs(parts) do
    part = part .. (i < #parts and ";" or "")
    if #line + 1 + #part > WIDTH then
      lines[#lines + 1] = line
      line = " "
    end
    line = line .. " " .. part
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n") .. "\n"
end

--- All that `--help` says of a command.
---@param found table
---@return string
function help.text(found)
  local statuses = {}
  for i, status in ipairs(help.statuses(found)) do
    statuses[i] = ("%d %s"):format(status[1], status[2])
  end
  local all = help.options(found)
  return table.concat({ "usage: ", found.usage, "\n\n", found.description, "\n",
    options.help(all), options.units(all), found.notes and "\n" .. found.notes or "",
    "\n", fill("Exit status:", statuses), "For instance: ", found.example, "\n" })
end

--- The list of all commands.
---@param commands table[]
---@return string
function help.overview(commands)
  local lines = {
    "codecell runs code that a language model wrote, in a sandbox on this machine.\n",
    "\nusage: codecell COMMAND [OPTIONS]\n\n",
  }
  for _, found in ipairs(commands) do
    lines[#lines + 1] = ("  %-12s %s\n"):format(found.name, found.summary)
  end
  lines[#lines + 1] = "\nFor instance: codecell run -c 'sum(range(10))'\n"
    .. "'codecell COMMAND --help' has the options of one; 'codecell --version'.\n"
    .. "Exit status: 0; 1 the code failed; 2 bad usage; 124 out of time;\n"
    .. "125 codecell itself failed; 137 out of memory.\n"
  return table.concat(lines)
end

return help
