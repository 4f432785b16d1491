--- `codecell packages`: what is kept of packages on this machine, and an end to it.
local cache = require "codecell.packages.cache"
local command = require "codecell.command"
local size = require "codecell.command.size"

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
    command.write(size.text(usage.removed), " removed from ", usage.folder, "\n")
  else
    command.write(("%s in %s below %s; at most %s\n"):format(size.text(usage.bytes),
      size.count(usage.files, "file"), usage.folder, size.text(usage.most)))
  end
  return command.status.success
end

return packages
