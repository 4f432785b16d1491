--- The files of a volume, as its content API has them. All of it happens in the keeper of the
--- volume, a sandbox that has nothing else: a path that a link leads elsewhere meets nothing there,
--- and is refused besides.
local answer = require "codecell.gateway.answer"
local errors = require "codecell.errors"
local json = require "codecell.json"
local paths = require "codecell.gateway.envd.paths"
local shape = require "codecell.e2b.shape"
local volumes = require "codecell.gateway.volumes"
local wait = require "codecell.wait"

local content = {}

local BODY_MOST = 65536
local PATH_MOST = 3900 -- bytes
local DEPTH_MOST = 64
local ENTRIES_MOST = 50000 -- of one list
local IN_A_ROW = 100 -- entries, until others have their turn
local HOUR = 3600 -- seconds that an operation may take
local UID = 1000 -- of the one user there is, in every sandbox
local ROOT = volumes.PLACE

-- Exit statuses of the scripts, and what they mean.
local MISSING, OUTSIDE, TAKEN, NO_FOLDER = 44, 45, 46, 47
local FAILURES = {
  [MISSING] = { 404, "not_found", "path '%s' not found" },
  [OUTSIDE] = { 400, "invalid_path", "path '%s' leads out of the volume" },
  [TAKEN] = { 409, "already_exists", "path '%s' is there already" },
  [NO_FOLDER] = { 404, "not_found", "the folder of '%s' is not there" },
}

-- $1 is the path. What lies above it is below the root, whatever links say.
local BEGIN = [[
set -u
place=$(realpath -m -- "$(dirname -- "$1")") || exit 1
case "$place/" in ]] .. ROOT .. [[/*) ;; *) [ "$1" = ]] .. ROOT .. [[ ] || exit 45 ;; esac
]]
local THERE = [[
[ -e "$1" ] || [ -L "$1" ] || exit 44
]]
local FOLLOWED = [[
case "$(realpath -m -- "$1")/" in ]] .. ROOT .. [[/*) ;; *) exit 45 ;; esac
]]
local TELL = [[
exec find "$1" -maxdepth 0 -printf '%P\0%y\0%s\0%m\0%U\0%G\0%A@\0%T@\0%C@\0%l\0'
]]

local SCRIPTS = {
  stat = BEGIN .. THERE .. TELL,
  list = BEGIN .. THERE .. FOLLOWED .. [[
[ -d "$1" ] || exit 47
exec find "$1/" -mindepth 1 -maxdepth "$2" -printf '%P\0%y\0%s\0%m\0%U\0%G\0%A@\0%T@\0%C@\0%l\0'
]],
  chmod = BEGIN .. THERE .. FOLLOWED .. [[
[ -z "$2" ] || chmod -- "$2" "$1" || exit 1
]] .. TELL,
  mkdir = BEGIN .. [[
if [ "$3" = force ]; then
  [ -d "$1" ] || ! [ -e "$1" ] || exit 46
  mkdir -p -- "$1" || exit 1
else
  [ -d "$place" ] || exit 47
  ! [ -e "$1" ] && ! [ -L "$1" ] || exit 46
  mkdir -- "$1" || exit 1
fi
[ -z "$2" ] || chmod -- "$2" "$1" || exit 1
]] .. TELL,
  check = BEGIN .. THERE .. FOLLOWED .. [[
[ -f "$1" ] || exit 44
exec realpath -- "$1"
]],
  write = BEGIN .. FOLLOWED .. [[
[ -d "$place" ] || mkdir -p -- "$place" || exit 1
! [ -d "$1" ] || exit 46
[ "$3" = force ] || { ! [ -e "$1" ] && ! [ -L "$1" ]; } || exit 46
new="$place/$4"
cat > "$new" && { [ -z "$2" ] || chmod -- "$2" "$new"; } \
  && mv -T -- "$new" "$(realpath -m -- "$1")" || { rm -f -- "$new"; exit 1; }
]] .. TELL,
  remove = BEGIN .. THERE .. [[
[ "$1" != ]] .. ROOT .. [[ ] || exit 45
exec rm -rf -- "$1"
]],
}

-- ---- answers ----

local function refuse(request, status, code, message)
  answer.json(request, status, { code = code, message = message })
end

local function fail(request, path, result, err)
  if request:is_left() then
    return
  elseif not result then
    return refuse(request, answer.status(err), err.kind, err.message)
  end
  local known = FAILURES[result.exit_code]
  if known then
    return refuse(request, known[1], known[2], known[3]:format(path))
  end
  local said = (result.stderr:match("[^\n]+") or "it failed"):gsub(ROOT, "")
  local is_full = said:find("No space left", 1, true) ~= nil
  refuse(request, is_full and 507 or 400, is_full and "no_space" or "invalid_argument",
    json.repair(said:sub(1, 400)))
end

local TYPES = { d = "directory", f = "file", l = "symlink" }

local function time_of(text)
  return shape.timestamp(tonumber(text) or 0)
end

local function entry_of(told, path)
  local below = told[1]
  local full = below == "" and path or (path == "/" and "/" or path .. "/") .. below
  return {
    name = json.repair(full:match("[^/]*$")), path = json.repair(full),
    type = TYPES[told[2]] or "unknown", size = tonumber(told[3]) or 0,
    mode = tonumber(told[4], 8) or 0, uid = tonumber(told[5]) or 0,
    gid = tonumber(told[6]) or 0, atime = time_of(told[7]), mtime = time_of(told[8]),
    ctime = time_of(told[9]), target = told[10] ~= "" and json.repair(told[10]) or nil,
  }
end

-- What `find` has told, below a path of the volume; nil where it was too much. There may be so many
-- that others must have their turn meanwhile.
local function entries_of(result, path)
  local told, entries = {}, {}
  if result.truncated then
    return nil
  end
  for field in result.stdout:gmatch("([^%z]*)%z") do
    told[#told + 1] = field
    if #told == 10 then
      entries[#entries + 1], told = entry_of(told, path), {}
      if #entries > ENTRIES_MOST then
        return nil
      elseif #entries % IN_A_ROW == 0 then
        wait.turn()
      end
    end
  end
  return entries
end

-- The same as one text.
local function written(entries)
  for i, entry in ipairs(entries) do
    entries[i] = errors.assert(json.encode(entry))
    if i % IN_A_ROW == 0 then
      wait.turn()
    end
  end
  return "[" .. table.concat(entries, ",") .. "]"
end

local function tell_one(request, status, path, result, err)
  local entries = result and result.exit_code == 0 and entries_of(result, path)
  if not entries or not entries[1] then
    return fail(request, path, result, err)
  end
  answer.json(request, status, entries[1])
end

local function run(keeper, name, path, ...)
  return keeper.commands:run({ "/bin/sh", "-c", SCRIPTS[name], "sh",
    (ROOT .. path):gsub("/$", ""), ... }, { timeout = HOUR })
end

-- ---- what is asked for ----

local function path_of(query)
  local path = query.path or "/"
  if #path > PATH_MOST or path:find("%z") then
    return nil
  end
  return paths.normal("/" .. path)
end

local function number(value)
  return value == nil and true or tonumber(value)
end

-- The mode that is wanted, as chmod takes it; "": none is.
local function mode_of(given)
  local uid, gid, mode = number(given.uid), number(given.gid), tonumber(given.mode or "")
  if uid ~= true and uid ~= UID or gid ~= true and gid ~= UID then
    return nil, ("uid and gid: all files are of the user %d"):format(UID)
  elseif given.mode ~= nil and (not mode or mode % 1 ~= 0 or mode < 0 or mode > 511) then
    return nil, "mode: a number of permission bits expected, 0 to 511"
  end
  return mode and ("%o"):format(mode) or ""
end

local function is_forced(query)
  return query.force == "true" and "force" or ""
end

local verbs = {}

verbs["GET /path"] = function(request, keeper, path)
  tell_one(request, 200, path, run(keeper, "stat", path))
end

verbs["PATCH /path"] = function(request, keeper, path)
  local body = answer.body(request, BODY_MOST)
  if not body then
    return
  end
  local mode, problem = mode_of({ uid = shape.number(body.uid), gid = shape.number(body.gid),
    mode = shape.number(body.mode) })
  if not mode then
    return refuse(request, 400, "invalid_argument", problem)
  end
  tell_one(request, 200, path, run(keeper, "chmod", path, mode))
end

verbs["DELETE /path"] = function(request, keeper, path)
  local result, err = run(keeper, "remove", path)
  if not result or result.exit_code ~= 0 then
    return fail(request, path, result, err)
  end
  answer.empty(request, 204)
end

verbs["GET /dir"] = function(request, keeper, path, query)
  local depth = tonumber((query.depth or "1"):match("^%d+$") or "")
  if not depth or depth < 1 or depth > DEPTH_MOST then
    return refuse(request, 400, "invalid_argument", ("depth: from 1 to %d"):format(DEPTH_MOST))
  end
  local result, err = run(keeper, "list", path, ("%d"):format(depth))
  if not result or result.exit_code ~= 0 then
    return fail(request, path, result, err)
  end
  local entries = entries_of(result, path)
  if not entries then
    return refuse(request, 400, "too_large", "that are too many; list what is below it")
  end
  table.sort(entries, function(one, other) return one.path < other.path end)
  request:reply(200, answer.headers("application/json"), written(entries))
end

verbs["POST /dir"] = function(request, keeper, path, query)
  local mode, problem = mode_of(query)
  if not mode then
    return refuse(request, 400, "invalid_argument", problem)
  end
  tell_one(request, 201, path, run(keeper, "mkdir", path, mode, is_forced(query)))
end

verbs["GET /file"] = function(request, keeper, path)
  local result, err = run(keeper, "check", path)
  if not result or result.exit_code ~= 0 then
    return fail(request, path, result, err)
  end
  local real = result.stdout:gsub("\n$", "")
  local entry, source
  entry, err = keeper._backend.ask(keeper, "read", "stat", real, false)
  if entry and entry.type == "file" and entry.size > 0 then
    source, err = keeper._backend.ask(keeper, "read", "read", real, 0, entry.size)
  elseif entry then
    source = ""
  end
  if not source then
    return fail(request, path, nil, err)
  end
  local headers = answer.headers("application/octet-stream",
    { { "X-Content-Type-Options", "nosniff" } })
  if type(source) == "string" then
    return request:reply(200, headers, source)
  elseif request:start(200, headers, entry.size) then
    answer.rest(request, source, entry.size)
  end
  source:close()
end

-- What a request brings, into a program, until it has ended. nil: not all has come.
local function pour(request, process)
  local chunk, err
  repeat
    chunk, err = request:read()
  until not chunk or not process:write(chunk, HOUR)
  process:close_input()
  return not err or nil
end

verbs["PUT /file"] = function(request, keeper, path, query)
  local mode, problem = mode_of(query)
  if not mode then
    return refuse(request, 400, "invalid_argument", problem)
  end
  local name = ".codecell-" .. answer.secret():sub(1, 20)
  local process, err = keeper.commands:run({ "/bin/sh", "-c", SCRIPTS.write, "sh",
    (ROOT .. path):gsub("/$", ""), mode, is_forced(query), name },
    { background = true, stdin = true, timeout = HOUR })
  if not process then
    return fail(request, path, nil, err)
  end
  if not pour(request, process) then -- the client has gone: nothing of it stays
    process:kill()
    process:close()
    return run(keeper, "remove", (path:gsub("[^/]*$", name)))
  end
  local result
  result, err = process:wait(HOUR)
  process:close()
  tell_one(request, 201, path, result, err)
end

-- ---- all of it ----

local function serve(gateway, one, request, rest)
  local called = verbs[request.method .. " " .. rest]
  local query = answer.form(request.query)
  local path = path_of(query)
  if not called or not path then
    return refuse(request, called and 400 or 404, called and "invalid_path" or "not_found",
      called and "the path is too long" or "no such path")
  end
  local keeper, err = volumes.keeper(gateway, one)
  if not keeper then
    return fail(request, path, nil, err)
  end
  one.busy = (one.busy or 0) + 1
  local ok, problem = wait.call(called, request, keeper, path, query)
  one.busy = one.busy - 1
  if not ok and keeper:_closed() and not request.has_started then -- somebody has removed it
    return refuse(request, 404, "not_found", "the volume is not there")
  elseif not ok then
    error(problem, 0)
  end
end

--- Answer a request for the files of a volume, if it is one. The volume's token is the right to it.
---@param gateway codecell.Gateway
---@param request codecell.IncomingRequest
---@return boolean? answered
function content.answer(gateway, request)
  local id, rest = request.path:match("^/volumecontent/([^/]+)(/%a+)$")
  if not id then
    return nil
  end
  local one = gateway.volumes[id]
  local token = (request.headers.authorization or ""):match("^[Bb]earer%s+(%S+)$")
  if not one or not answer.is_same(token, one.token) then
    refuse(request, token and not one and 404 or 401, token and not one and "not_found"
      or "unauthenticated", token and not one and "the volume is not there"
      or "the token of the volume is needed")
  else
    serve(gateway, one, request, rest)
  end
  return true
end

return content
