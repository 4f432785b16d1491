--- `codecell freeze`: a sandbox that `codecell run --name` keeps is held as it is, as evidence.
local command = require "codecell.command"
local errors = require "codecell.errors"
local keeper = require "codecell.command.keeper"
local launch = require "codecell.command.launch"
local urls = require "codecell.http.url"

local freeze = {
  summary = "hold a sandbox as it is, and take its files out",
  usage = "codecell freeze NAME|ID [--files FILE] | --undo NAME|ID",
  description = "Everything in the sandbox stands still, its files can be read and not be\n"
    .. "changed, and it does not end for a day, or until 'codecell kill'. It is for those\n"
    .. "that 'codecell run --name' keeps; programs have sandbox:freeze().\n",
  takes = "sandbox",
  statuses = { [1] = "there is no such sandbox" },
  example = "codecell freeze work --files evidence.tar",
  options = {
    { name = "files", value = "FILE", kind = "name",
      help = "write the files of its home there, as a tar archive; - is standard output" },
    { name = "undo", help = "let it go on" },
    { name = "json", help = "print the result as JSON" },
  },
}

-- The name of what the words mean, by a name or an id; false: there is none.
local function find(client, word)
  local list, err = keeper.ask(client, "GET", "sandboxes")
  if not list then
    return nil, err
  end
  for _, one in ipairs(list) do
    if one.name == word or one.id == word then
      return one
    end
  end
  return false
end

local function open(path)
  if path == "-" then
    return io.stdout
  end
  local file, problem = io.open(path, "wb")
  if not file then
    return nil, errors.new("system", "freeze: " .. problem)
  end
  return file
end

local function take_files(client, name, path)
  local file, err = open(path)
  local ok
  if file then
    ok, err = keeper.copy(client, "sandboxes/" .. urls.encode(name) .. "/files", function(piece)
      return file:write(piece)
    end)
  end
  if file and file ~= io.stdout then
    ok = file:close() and ok
  end
  if not ok then
    return nil, err or errors.new("system", ("freeze: cannot write %s"):format(path))
  end
  return true
end

local function run(client, options, word)
  local found, err = find(client, word)
  if found == false then
    io.stderr:write("codecell freeze: nobody keeps a sandbox ", (word:gsub("%c", "?")),
      "; 'codecell ls' shows those with names, and whoever made another one has "
      .. "sandbox:freeze()\n")
    return command.status.code_failed
  end
  local answer
  if found then
    answer, err = keeper.ask(client, "PUT", ("sandboxes/%s/%s"):format(urls.encode(found.name),
      options.undo and "unfreeze" or "freeze"))
  end
  if answer and answer.problem then
    err = errors.new(answer.problem.kind, answer.problem.message, answer.problem.hint)
    answer = nil
  end
  if answer and options.files then
    answer, err = take_files(client, found.name, options.files)
  end
  if not answer then
    return launch.fail("freeze", err)
  elseif options.json then
    command.print_json({ id = found.id, name = found.name, frozen = not options.undo })
  elseif options.files ~= "-" then
    command.write(("%s %s (%s)\n"):format(options.undo and "goes on:" or "frozen:", found.name,
      found.id))
  end
  return command.status.success
end

function freeze.run(options, arguments)
  if not arguments[1] or arguments[2] then
    return nil, "give the name or the id of one sandbox"
  elseif options.undo and options.files then
    return nil, "give --undo or --files, not both"
  end
  local client, err = keeper.find()
  if not client and err.kind ~= "unavailable" then
    return launch.fail("freeze", err)
  elseif not client then
    io.stderr:write("codecell freeze: no program keeps sandboxes; whoever made one has "
      .. "sandbox:freeze()\n")
    return command.status.code_failed
  end
  local status = run(client, options, arguments[1])
  client:close()
  return status
end

return freeze
