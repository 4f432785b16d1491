--- The actions about sandboxes: make, list, keep, end.
local shape = require "codecell.actions.shape"
local templates = require "codecell.service.templates"

local sandboxes = {}

local MINUTE = 60
local DEFAULT = 60 -- minutes
local IDLE = 600 -- seconds without use after which a reminder is due

function sandboxes.create(call, given)
  local config = call.service.config
  local ok, err = templates.check(config, config.backend, given.template)
  if not ok then
    return nil, err
  end
  local made, again = call.service:create({ owner = call.owner, key = given.sessionId,
    envs = given.envs, template = given.template, timeout = (given.timeout or DEFAULT) * MINUTE,
    metadata = { sessionId = given.sessionId } })
  if not made then
    return nil, again
  end
  local about = made:get_info()
  local is_reused = again == true
  return { sandboxId = made.id, degradedFrom = made.degraded_from,
    reused = is_reused or nil, timeout = about.timeout / MINUTE,
    startedAt = shape.time(about.started_at), expiresAt = shape.time(about.end_at),
    text = is_reused and ("The sandbox of %s is there already, and lives until %s."):format(
      given.sessionId, shape.time(about.end_at))
      or ("Sandbox created. It lives until %s."):format(shape.time(about.end_at)) }
end

function sandboxes.list_sandboxes(call)
  local list, lines, idle = {}, {}, {}
  for i, one in ipairs(call.service:list({ owner = call.owner })) do
    list[i] = { sessionId = one.key, sandboxId = one.id, startedAt = shape.time(one.started_at),
      expiresAt = shape.time(one.end_at), idleSeconds = math.floor(one.idle) }
    lines[i] = ("%s: until %s"):format(one.key or one.id, list[i].expiresAt)
    if one.idle >= IDLE then
      idle[#idle + 1] = one.key or one.id
    end
  end
  local reminder = idle[1] and ("Not used for ten minutes or more: %s. Kill what is not needed.")
    :format(table.concat(idle, ", "))
  if reminder then
    lines[#lines + 1] = reminder
  end
  return { sandboxes = shape.list(list), reminder = reminder,
    text = lines[1] and table.concat(lines, "\n") or "There are no sandboxes." }
end

function sandboxes.set_timeout(call, given)
  local found, err = call:sandbox(given)
  local ok
  if found then
    ok, err = found:set_timeout(given.timeout * MINUTE)
  end
  if not ok then
    return nil, err
  end
  local ends = shape.time(found:get_info().end_at)
  return { sandboxId = found.id, timeout = given.timeout, expiresAt = ends,
    text = ("The sandbox lives until %s."):format(ends) }
end

function sandboxes.kill(call, given)
  local found, err = call:sandbox(given, "only what is there")
  if not found then
    return nil, err
  end
  local killed
  killed, err = call.service:kill(found.id, call.owner)
  if not killed then
    return nil, err
  end
  return { sandboxId = found.id, text = "The sandbox was ended." }
end

function sandboxes.list_templates(call)
  local config = call.service.config
  local list, lines = templates.list(config, config.backend), {}
  for i, one in ipairs(list) do
    lines[i] = one.name
  end
  return { templates = shape.list(list),
    text = lines[1] and table.concat(lines, "\n") or "There are no templates." }
end

return sandboxes
