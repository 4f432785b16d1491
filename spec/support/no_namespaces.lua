-- no_namespaces.lua -- a machine on which nobody can make a namespace, and so no sandbox.
local shell = require "spec.support.shell"

local no_namespaces = {}

local PREFIX = "unshare -Ur sh -c"
  .. " 'echo 0 >/proc/sys/user/max_user_namespaces && exec \"$@\"' - env "

--- What a command begins with that is to run on it; nil where none can be had.
function no_namespaces.prefix()
  return shell.run(PREFIX .. "true").status == 0 and PREFIX or nil
end

--- Mend it, for the program that runs there; whether that could be done.
function no_namespaces.mend(pid)
  return shell.run(("nsenter -U -t %s sh -c 'echo 1000 >/proc/sys/user/max_user_namespaces'")
    :format(pid)).status == 0
end

return no_namespaces
