--- What tools say of the sandbox: made from what it is, so that it is true.
local languages = require "codecell.languages"
local sorted = require "codecell.sorted"

local describe = {}

local SHOWN = 20 -- names in a list

local function list_of(names)
  if #names <= SHOWN then
    return table.concat(names, ", ")
  end
  return ("%s and %d more"):format(table.concat(names, ", ", 1, SHOWN), #names - SHOWN)
end

--- Whether anything beyond the sandbox is reached.
---@param about codecell.ToolAbout
---@return boolean
function describe.is_open(about)
  local network = about.network
  return network == "open" or type(network) == "table"
    and (network.allow == "open" or type(network.allow) == "table" and network.allow[1] ~= nil)
end

--- The network in a sentence.
---@param about codecell.ToolAbout
---@return string
function describe.network(about)
  local network = about.network
  if not describe.is_open(about) then
    return "There is no network."
  elseif network == "open" then
    return "The network can be reached."
  end
  local denied = network.deny and network.deny[1] and " except " .. list_of(network.deny) or ""
  if network.allow == "open" then
    return "The network can be reached" .. denied .. "."
  end
  return ("Of the network only these can be reached: %s%s."):format(list_of(network.allow), denied)
end

--- Which packages can be had.
---@param about codecell.ToolAbout
---@return string
function describe.packages(about)
  local packages = type(about.packages) == "table" and about.packages or {}
  local text = packages.allow and ("Only these can be installed: %s."):format(
    list_of(packages.allow)) or ""
  if packages.deny and packages.deny[1] then
    text = ("%s Not these: %s."):format(text, list_of(packages.deny))
  end
  return text
end

--- Those languages whose variables stay from call to call, and those that start afresh.
---@param about codecell.ToolAbout
---@return string
function describe.state(about)
  local afresh = {}
  for _, name in ipairs(about.languages) do
    local known = languages.find(name)
    if not about.is_remote and known and (known.run or known.compile) then
      afresh[#afresh + 1] = name
    end
  end
  if #afresh == 0 then
    return "Variables and files stay from call to call."
  elseif #afresh == #about.languages then
    return "Each call starts afresh; files stay."
  end
  return ("Variables and files stay from call to call; of %s only files do."):format(
    list_of(afresh))
end

--- A size as people say it.
---@param bytes number
---@return string
function describe.size(bytes)
  if bytes >= 2 ^ 30 then
    return ("%.3g GiB"):format(bytes / 2 ^ 30)
  end
  return ("%.3g MiB"):format(bytes / 2 ^ 20)
end

--- What a call may use.
---@param about codecell.ToolAbout
---@return string
function describe.limits(about)
  local memory = about.memory and (" and %s of memory"):format(describe.size(about.memory)) or ""
  return ("A call may take %.14g s%s."):format(about.seconds, memory)
end

--- The functions of the host that code may call.
---@param about codecell.ToolAbout
---@return string
function describe.exposed(about)
  local names, texts = sorted(about.exposed), {}
  if #names == 0 then
    return ""
  end
  for i, name in ipairs(names) do
    texts[i] = ("%s (%s)"):format(name, list_of(about.exposed[name]))
  end
  return (" Code can call functions of the host: in Python `from host import %s`; there are %s.")
    :format(names[1], table.concat(texts, "; "))
end

--- What holds for every tool.
---@param about codecell.ToolAbout
---@return string
function describe.mock(about)
  return about.is_mock and " This is a mock: nothing is run, answers are scripted." or ""
end

return describe
