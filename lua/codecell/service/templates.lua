--- The templates of a service: those of its configuration, and those of this machine.
local codecell = require "codecell"
local errors = require "codecell.errors"

local templates = {}

--- Those there are, by their names; none where only the cloud knows.
---@param config codecell.Config
---@param backend string
---@return table[] list `name description`
function templates.list(config, backend)
  local list = {}
  for name in pairs(config.templates) do
    list[#list + 1] = { name = name }
  end
  if backend == "local" then
    for _, one in ipairs(codecell.templates() or {}) do
      list[#list + 1] = config.templates[one.name] == nil
        and { name = one.name, description = one.description } or nil
    end
  end
  table.sort(list, function(one, other) return one.name < other.name end)
  return list
end

--- Whether somebody may have one who is not trusted with paths and the ids of snapshots: a model
--- chooses among what there is. The cloud has templates of its own, and knows whose they are.
---@param config codecell.Config
---@param backend string
---@param template string?
---@return true? ok
---@return codecell.Error? err kind "not_found"
function templates.check(config, backend, template)
  if not template or backend == "e2b" then
    return true
  end
  for _, one in ipairs(templates.list(config, backend)) do
    if one.name == template then
      return true
    end
  end
  return nil, errors.new("not_found", ("Sandbox creation failed: there is no template %q; "
    .. "list_templates shows those there are"):format(template))
end

--- What a name stands for.
---@param config codecell.Config
---@param template string?
---@return string? image what the sandbox is made from
---@return string[]? packages what is installed in it
function templates.resolve(config, template)
  local one = template and config.templates[template]
  if one then
    return one.image, one.packages
  end
  return template
end

return templates
