--- What a backend is: one file that answers these questions, so that the library above never asks
--- which one it has.
---
---@class codecell.Backend
---@field name string
---@field isolation "kernel"|"container"|"microvm"|"none"
---@field features table<string, boolean> what `supports` answers
---@field languages fun(root: string?): string[] that code can be in
---@field network string? what a sandbox reaches that was not told; default "none"
---@field hints table<string, string> what to do instead of a feature it lacks
---@field contexts table `default kernel create list restart remove`, as of codecell.context
---@field create fun(options: table, stem: userdata?): codecell.Sandbox?, codecell.Error?
---@field execute fun(sandbox, kernel: codecell.Kernel, job: table): codecell.Execution?, any
---@field spawn fun(sandbox, options: table): codecell.Process?, codecell.Error?
---@field ask fun(sandbox, what: string, operation: string, ...): any, codecell.Error?
---@field state fun(sandbox): string, codecell.Error? "running", "ending" or "gone"
---@field set_timeout fun(sandbox, seconds: number): true?, codecell.Error?
---@field host fun(sandbox, port: integer): string?, codecell.Error?
---@field traffic fun(sandbox): table?
---@field update_network fun(sandbox, policy: userdata): true?, codecell.Error?
---@field apply_template (fun(given: table): true?, codecell.Error?)? completes what a sandbox is
---asked for by its template; nil: the other side knows what the name means
---@field limits fun(sandbox): table<string, {value: number, by: string}>
local errors = require "codecell.errors"

local backend = {}

local modules = {
  e2b = "codecell.backend.e2b",
  ["local"] = "codecell.backend.local",
  mock = "codecell.backend.mock",
}

--- The backend of that name.
---@param name string
---@return codecell.Backend? backend
---@return codecell.Error? err kind "invalid_argument"
function backend.find(name)
  local module = modules[name]
  if not module then
    return nil, errors.new("invalid_argument",
      ("unknown backend %q; known are \"local\", \"e2b\" and \"mock\""):format(name))
  end
  return require(module)
end

return backend
