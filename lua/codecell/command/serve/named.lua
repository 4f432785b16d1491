--- Named sandboxes: what `codecell serve` keeps for `codecell run --name`, `ls` and `kill`.
local base64 = require "codecell.base64"
local codecell = require "codecell"
local json = require "codecell.json"
local show = require "codecell.command.show"
local urls = require "codecell.http.url"
local wait = require "codecell.wait"

local LIFETIME = 86400
local ORDER_MOST = 268435456 -- bytes of a request
local NDJSON = { { "Content-Type", "application/x-ndjson" } }
local TAR = { { "Content-Type", "application/x-tar" } }
local TEXT = { { "Content-Type", "text/plain" } }
local JSON = { { "Content-Type", "application/json" } }

local named = { prefix = "/codecell/" }

local kept = {} -- by name: { sandbox =, options = as they were given }
local making = {} -- by name: what waits for it
local busy, last = 0, nil

local function now()
  return codecell.reactor():now()
end

--- How long nobody has asked for anything.
---@return number seconds
function named.idle()
  last = busy > 0 and now() or last or now()
  return now() - last
end

--- End all of them.
function named.close()
  for name, one in pairs(kept) do
    one.sandbox:close()
    kept[name] = nil
  end
end

local function living(name)
  local one = kept[name]
  -- One that is frozen does not run, and is there all the same.
  if one and one.sandbox._backend.state(one.sandbox) ~= "running" then
    one.sandbox:close()
    kept[name] = nil
    one = nil
  end
  return one
end

local function make(order)
  local options = order.options
  local sandbox, err = codecell.create({
    name = order.name, timeout = LIFETIME, network = options.network, template = options.template,
    mounts = options.mounts, backend = options.backend, packages = options.packages,
    secrets = options.secrets, audit = options.audit,
  })
  if sandbox then
    kept[order.name] = { sandbox = sandbox, options = json.encode(options) }
  end
  return sandbox, err
end

-- The one of that name, made if there is none; nobody makes it twice.
local function find(order)
  while making[order.name] do
    if not wait.key(making[order.name]) then -- its client has gone
      return nil, wait.failure("create")
    end
  end
  local one = living(order.name)
  if not one then
    local key = {}
    making[order.name] = key
    local ok, sandbox, err = wait.call(make, order)
    making[order.name] = nil
    require("codecell.reactor").wake(key)
    if not ok then
      error(sandbox, 0)
    end
    return sandbox, err
  elseif next(order.options) ~= nil and one.options ~= json.encode(order.options) then
    return nil, codecell.errors.new("invalid_argument", ("the sandbox %q was made with other "
      .. "options; 'codecell kill %s' ends it"):format(order.name, order.name))
  end
  return one.sandbox
end

local function copy_in(sandbox, files)
  for _, file in ipairs(files or {}) do
    local ok, err = sandbox.files:upload(file.path, file.name)
    if not ok then
      return nil, err
    end
  end
  return true
end

local function tell(request, line)
  return request:write(json.encode(line) .. "\n")
end

local function run(request, order)
  local sandbox, err = find(order)
  local ok
  if sandbox then
    ok, err = copy_in(sandbox, order.files)
  end
  local execution
  if ok then
    local function teller(stream)
      return function(text)
        tell(request, { stream = stream, data = base64.encode(text) })
      end
    end
    execution, err = sandbox:run_code(base64.decode(order.code), {
      language = order.language, timeout = order.timeout, envs = order.envs,
      stdin = order.stdin and base64.decode(order.stdin), packages = order.install,
      on_stdout = teller "stdout", on_stderr = teller "stderr",
    })
  end
  if execution then
    return tell(request, { execution = show.as_table(execution) })
  end
  tell(request, { problem = { kind = err.kind, message = err.message, hint = err.hint,
    log = err.log } })
end

local answers = {}

function answers.POST(request, path)
  local text = path == "run" and request:all(ORDER_MOST)
  local order = text and json.decode(text)
  if type(order) ~= "table" or type(order.name) ~= "string" then
    return request:reply(400)
  end
  request:end_with_client() -- who is not there any more interrupts the code
  if request:start(200, NDJSON) then
    run(request, order)
    if not request:is_left() then
      request:finish()
    end
  end
end

-- The files of one, as a tar stream.
local function give_files(request, one, path)
  local stream, err = one.sandbox.files:archive(path)
  if not stream then
    return request:reply(409, TEXT, tostring(err) .. "\n")
  elseif request:start(200, TAR) then
    local piece = stream:read()
    while piece and request:write(piece) do
      piece, err = stream:read()
    end
    if not piece and not err then
      return request:finish()
    end -- else it breaks off, as the reader can see
  end
  stream:close()
end

function answers.GET(request, path)
  local of = path:match("^sandboxes/(.+)/files$")
  local one_of = of and living(urls.decode(of))
  if one_of then
    return give_files(request, one_of, "/home/user")
  end
  local list = {}
  for name in pairs(path == "sandboxes" and kept or {}) do
    local one = living(name)
    list[#list + 1] = one and { name = name, id = one.sandbox.id } or nil
  end
  request:reply(200, JSON, json.encode(json.list(list)))
end

-- Let one stand still as evidence, or go on.
function answers.PUT(request, path)
  local name, verb = path:match("^sandboxes/(.+)/(%l+)$")
  local one = name and living(urls.decode(name))
  if not one or verb ~= "freeze" and verb ~= "unfreeze" then
    return request:reply(404)
  end
  local done, err = one.sandbox[verb](one.sandbox)
  request:reply(200, JSON, json.encode({ done = done == true, id = one.sandbox.id,
    problem = err and { kind = err.kind, message = err.message, hint = err.hint } }))
end

function answers.DELETE(request, path)
  local name = path:match("^sandboxes/(.+)$")
  name = name and urls.decode(name)
  local one = name and living(name)
  if not one then
    return request:reply(404)
  end
  one.sandbox:kill()
  one.sandbox:close()
  kept[name] = nil
  request:reply(200, JSON, "true")
end

--- Answer a request.
---@param request codecell.IncomingRequest
---@param path string below the prefix
function named.answer(request, path)
  local called = answers[request.method]
  if not called then
    return request:reply(405)
  end
  busy = busy + 1
  local ok, problem = wait.call(called, request, path)
  busy, last = busy - 1, now()
  if not ok then
    error(problem, 0)
  end
end

return named
