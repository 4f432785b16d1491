-- A browser without a window, which a script of playwright drives: what is needed for it, and what
-- the script has told, a line "ok NAME" for each thing that is as it should be.
local assert = require "luassert"
local shell = require "spec.support.shell"

local browser = {}

--- The program, with playwright in a folder; or nil and what is missing.
function browser.prepare(folder)
  local program = shell.run("command -v chromium").stdout:match("%S+")
  if not program then
    return nil, "chromium is not installed"
  elseif shell.run("npm install --silent playwright-core", { folder = folder, time = 300 }).status
    ~= 0 then
    return nil, "the registry of npm does not answer"
  end
  return program
end

--- Within `it`: whether the script has told that one thing is as it should be.
function browser.expect(name, told, missing)
  if missing then
    return pending(missing)
  end
  assert.truthy(("\n" .. told):find("\nok " .. name .. "\n", 1, true), told)
end

return browser
