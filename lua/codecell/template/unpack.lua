--- Laying out an archive that somebody has sent, in the sandbox of a build: what is in it meets
--- nothing but programs in there.
local errors = require "codecell.errors"

local unpack = {}

local HOME = "/home/user"
local BOX = "/tmp/.codecell-copy"
local OUTPUT_MOST = 400 -- bytes of what went wrong

-- Arguments: what is meant in the archive, "all" (what it holds) or "one", where it is to be, and
-- the mode of its files or "".
local SCRIPT = [[
set -e
cd ]] .. BOX .. [[

mkdir files
tar -xzf archive -C files
rm archive
source=files/$1
if ! [ -e "$source" ] && ! [ -L "$source" ]; then
  echo "it is not in the archive" >&2
  exit 1
fi
if [ -n "$4" ]; then
  find "$source" -type f -exec chmod "$4" {} +
fi
if [ "$2" = all ] || { [ -d "$source" ] && ! [ -L "$source" ]; }; then
  mkdir -p "$3"
  cp -a "$source/." "$3/"
elif [ -d "$3" ] || [ "${3%/}" != "$3" ]; then
  mkdir -p "$3"
  cp -a "$source" "$3/"
else
  mkdir -p "$(dirname "$3")"
  cp -a "$source" "$3"
fi
]]

local function is_below_home(path)
  return (path .. "/"):sub(1, #HOME + 1) == HOME .. "/"
    and not (path .. "/"):find("/../", 1, true)
end

-- Of a pattern the folder above it, for the archive holds what matches and nothing else.
local function source_of(from)
  local plain = from:gsub("^%./+", ""):gsub("/+$", "")
  if plain == "." or plain == "" then
    return ".", "all"
  end
  local before = plain:match("^([^*?%[{]*)[*?%[{]")
  if before then
    return before:match("^(.*)/") or ".", "all"
  end
  return plain, "one"
end

local function run(state, step, to)
  local source, how = source_of(step.from)
  local result, err = state.sandbox.commands:run({ "/bin/sh", "-c", SCRIPT, "sh", source, how, to,
    step.mode or "" }, { timeout = state.timeout })
  if not result then
    return nil, err
  elseif result.exit_code == 0 then
    return true
  end
  return nil, errors.new("invalid_argument", ((result.stderr .. result.stdout)
    :sub(1, OUTPUT_MOST):gsub("%c+", " "):gsub(" $", "")))
end

--- Do a step of that kind.
---@param state table of the build
---@param step {path: string, from: string, to: string, mode: string?} path: of the archive, a tar
---stream packed with gzip, on this machine
---@return true? done
---@return codecell.Error? err
function unpack.lay_out(state, step)
  local to = step.to:sub(1, 1) == "/" and step.to or state.cwd .. "/" .. step.to
  to = to:gsub("/%./", "/"):gsub("/%.$", "/"):gsub("//+", "/")
  if not is_below_home((to:gsub("(.)/$", "%1"))) then
    return nil, errors.new("invalid_argument",
      ("%s: a template keeps what lies below %s, and no other files"):format(to, HOME))
  end
  local files = state.sandbox.files
  local ok, err = files:make_dir(BOX)
  if ok ~= nil then
    ok, err = files:upload(step.path, BOX .. "/archive")
  end
  if ok then
    ok, err = run(state, step, to)
  end
  files:remove(BOX)
  return ok and true, err
end

return unpack
