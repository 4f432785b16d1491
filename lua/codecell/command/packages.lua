--- `codecell packages`: what is kept of packages on this machine, and an end to it.
local cache = require "codecell.packages.cache"
local command = require "codecell.command"

local packages = {
  summary = "tell how much is kept of packages, or remove it",
  usage = "codecell packages [--clear] [--json]",
  description = "Packages that were installed once on this machine are kept, so that they are not\n"
    .. "downloaded again. Says where, how much that is, and how much it may be.\n",
  example = "codecell packages --clear",
  options = {
    { name = "clear", help = "remove all of it; sandboxes that have some keep it" },
    { name = "json", help = "print it as JSON" },
  },
}

local function megabytes(bytes)
  return ("%.1f MB"):format(bytes / 1e6)
end

function packages.run(options, arguments)
  if arguments[1] then
    return nil, "takes no arguments"
  end
  local usage, err = cache.usage()
  if not usage then
    io.stderr:write("codecell packages: ", tostring(err), "\n")
    return command.status.failed
  end
  if options.clear then
    cache.clear()
    usage.removed, usage.bytes, usage.files = usage.bytes, 0, 0
  end
  if options.json then
    command.print_json(usage)
  elseif options.clear then
    command.write(megabytes(usage.removed), " removed from ", usage.folder, "\n")
  else
    command.write(("%s in %d files below %s; at most %s\n"):format(megabytes(usage.bytes),
      usage.files, usage.folder, megabytes(usage.most)))
  end
  return command.status.success
end

return packages
