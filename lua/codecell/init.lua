--- codecell: runs code that a language model wrote, safely, from any Lua program.
---
--- Requiring it creates nothing: every part is loaded when it is first used.

-- A C module that is not built, or for another Lua, is refused here and not at the first verb.
local is_there, failure = pcall(require, "codecell.core")
if not is_there then
  local lua = rawget(_G, "jit") and "luajit" or _VERSION:match("%d.%d")
  if failure:find("module 'codecell.core' not found", 1, true)
      or failure:find("undefined symbol: lua", 1, true) then
    failure = ("codecell is not built for this Lua, or not on its path; in the folder of its "
      .. 'sources type: make LUA_VERSION=%s && eval "$(make env LUA_VERSION=%s)"\n%s')
      :format(lua, lua, failure)
  end
  error(failure, 0)
end

local codecell = {
  _NAME = "codecell",
  _VERSION = "0.1.0",
}

-- Functions by the module that they are in.
local FUNCTIONS = {
  analyze = "codecell.analyze",
  assert = "codecell.errors",
  async = "codecell.task",
  connect = "codecell.create",
  create = "codecell.create",
  interpret = "codecell.agent.interpret",
  kill = "codecell.create",
  list = "codecell.create",
  pool = "codecell.pool",
  reactor = "codecell.loop",
  service = "codecell.service",
  session = "codecell.session",
  setup = "codecell.create",
  step = "codecell.loop",
  templates = "codecell.template",
}

local MODULES = {
  actions = "codecell.actions",
  agent = "codecell.agent",
  agent_config = "codecell.agent_config",
  audit = "codecell.audit",
  blocks = "codecell.agent.blocks",
  config = "codecell.config",
  cost = "codecell.cost",
  e2b = "codecell.e2b.account",
  doctest = "codecell.doctest",
  errors = "codecell.errors",
  export = "codecell.export",
  format = "codecell.agent.format",
  json = "codecell.json",
  languages = "codecell.languages",
  log = "codecell.log",
  media = "codecell.agent.media",
  mcp = "codecell.mcp",
  metrics = "codecell.metrics",
  policy = "codecell.policy",
  snapshot = "codecell.snapshot",
  spans = "codecell.spans",
  template = "codecell.template",
  tools = "codecell.tools",
}

return setmetatable(codecell, {
  __index = function(self, name)
    local module = MODULES[name]
    local value
    if module then
      value = require(module)
    elseif FUNCTIONS[name] then
      value = require(FUNCTIONS[name])[name]
    end
    self[name] = value
    return value
  end,
})
