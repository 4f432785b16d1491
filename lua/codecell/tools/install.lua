--- The tool `install`: packages of a language.
local json = require "codecell.json"
local result = require "codecell.tools.result"
local run_code = require "codecell.tools.run_code"

local install = {}

local MANAGED = { python = true, javascript = true, typescript = true }

local function languages_of(about)
  local list = {}
  for _, name in ipairs(about.languages) do
    list[#list + 1] = MANAGED[name] and name or nil
  end
  return list
end

--- The definition; nil: nothing can be installed.
---@param about codecell.ToolAbout
---@param describe table
---@return codecell.ToolDefinition?
function install.define(about, describe)
  local names = languages_of(about)
  if not names[1] or about.packages == false then
    return nil
  end
  return { title = "Install packages", is_open = true,
    description = ("Install packages for code of %s; they can be imported at once. %s"):format(
      table.concat(names, ", "), describe.packages(about)):gsub(" $", ""),
    fields = {
      { name = "packages", type = "array", is_required = true,
        description = "names, with versions or without: requests, six==1.16.0, left-pad@1.3.0" },
      run_code.language(names, "whose packages"),
    },
    output = result.schema({ packages = { type = "array", items = { type = "object",
      properties = { name = { type = "string" }, version = { type = "string" },
        status = { type = "string" } }, required = json.list({ "name", "status" }) } },
      seconds = { type = "number" } }) }
end

local function row(one)
  return ("%s%s: %s"):format(one.name, one.version and " " .. one.version or "", one.status)
end

local function lines_of(packages)
  local lines = {}
  for i, one in ipairs(packages or {}) do
    lines[i] = row(one)
  end
  return table.concat(lines, "\n")
end

local function failed(kit, err)
  local told = result.of_error("install", err)
  local report = kit:_report({ stdout = lines_of(err.packages), stderr = err.log or "" })
  if report.text ~= "" and #report.parts > 0 then
    told.text = told.text .. "\n" .. report.text
    told.parts[1].text = told.text
  end
  return told
end

--- Install them.
---@param kit codecell.Kit
---@param given {packages: string[], language: string?}
---@param about table options of the call
---@return codecell.ToolResult
function install.call(kit, given, about)
  local language = given.language or run_code.default(languages_of(kit.place:about()))
  local allowed, err = kit:_permit("install", { verb = "install", package = given.packages,
    language = language })
  if not allowed then
    return result.of_error("install", err)
  end
  local done
  done, err = kit.place:with(function(sandbox)
    return sandbox:install(given.packages, { language = language, timeout = about.timeout })
  end)
  if not done then
    return failed(kit, err)
  end
  local packages = json.list({})
  for i, one in ipairs(done.packages) do
    packages[i] = { name = one.name, version = one.version, status = one.status }
  end
  return result.of_text("install", kit:_report({ stdout = lines_of(packages) }).text,
    { packages = packages, seconds = done.seconds })
end

return install
