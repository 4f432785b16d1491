--- `codecell snapshot`: list, take out, bring in and remove the kept files of sandboxes.
local codecell = require "codecell"
local command = require "codecell.command"
local core = require "codecell.core"
local json = require "codecell.json"
local launch = require "codecell.command.launch"
local parts = require "codecell.command.parts"
local size = require "codecell.command.size"

local PIECE = 65536

local snapshot = {
  summary = "list, export, import and remove the kept files of sandboxes",
  usage = "codecell snapshot ls | export ID [FILE] | import [FILE] | rm ID...",
  description = "A snapshot is what sandbox:create_snapshot() kept: the files of a home, that\n"
    .. "others begin with: 'codecell run --template ID', create{template = ID}.\n\n"
    .. "  ls       list them\n"
    .. "  export   write one as a tar stream to FILE, or to standard output\n"
    .. "  import   make one of a tar stream, whoever made it; prints its id\n"
    .. "  rm       remove them; sandboxes that have one keep it\n",
  parts = { { "ls" }, { "export", "snapshot" }, { "import", "file" }, { "rm", "snapshot" } },
  statuses = { [1] = "one cannot be removed" },
  example = "codecell snapshot ls --json",
  options = {
    { name = "name", value = "NAME", kind = "name", help = "import: a name for people" },
    { name = "json", help = "print the result as JSON" },
  },
}

local function ls(options)
  local list, err = codecell.snapshot.list()
  if not list then
    return launch.fail("snapshot", err)
  elseif options.json then
    command.print_json(json.list(list))
    return command.status.success
  end
  if core.isatty(1) then
    command.write(list[1] and "ID                    TAKEN             SIZE      NAME\n"
      or "no snapshots\n")
  end
  for _, one in ipairs(list) do
    command.write((("%s %s  %-9s %s\n"):format(one.id, size.date(one.created_at),
      size.text(one.size), one.name or ""):gsub(" +\n", "\n")))
  end
  return command.status.success
end

-- Write all of the stream; true, or nil and why not.
local function pour(stream, out)
  while true do
    local piece, err = stream:read()
    if not piece then
      return not err or nil, err and tostring(err)
    end
    local done, message = out:write(piece)
    if not done then
      return nil, message
    end
  end
end

local function export(_, words)
  local id, path = words[1], words[2] or "-"
  if path == "-" and core.isatty(1) then
    return nil, "export writes no tar stream to a terminal: name a FILE"
  end
  local stream, err = codecell.snapshot.export(id)
  if not stream then
    return launch.fail("snapshot", err)
  end
  local half = path .. ".part"
  local out, message = io.stdout, nil
  if path ~= "-" then
    out, message = io.open(half, "wb")
  end
  local done
  if out then
    done, message = pour(stream, out)
  end
  stream:close()
  if out and path ~= "-" then
    local closed, why = out:close()
    if done and closed then
      done, message = os.rename(half, path)
    else
      done, message = nil, message or why
      os.remove(half)
    end
  end
  if not done then
    command.abort(("snapshot: cannot export %s: %s"):format(id, tostring(message)))
  end
  return command.status.success
end

local function import(options, words)
  local path = words[1] or "-"
  local source = path == "-" and io.stdin or io.open(path, "rb")
  if not source then
    return nil, "import: there is no file " .. path
  end
  local made, err = codecell.snapshot.import(function()
    return source:read(PIECE)
  end, { name = options.name })
  if source ~= io.stdin then
    source:close()
  end
  if not made then
    return launch.fail("snapshot", err)
  elseif options.json then
    command.print_json(made)
  else
    command.write(made.id, "\n")
  end
  return command.status.success
end

local PARTS = {
  export = { run = export, least = 1, most = 2, words = "an ID and a FILE" },
  import = { run = import, most = 1, words = "one FILE", options = { "name" } },
  ls = { run = ls, most = 0, words = "no ids" },
  rm = { run = parts.remover "snapshot", least = 1, words = "the ids of snapshots" },
}

function snapshot.run(options, arguments)
  return parts.run(options, arguments, PARTS)
end

return snapshot
