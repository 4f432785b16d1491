-- template_home.lua -- a folder of templates for the tests of a block: CODECELL_HOME means it, and
-- XDG_CACHE_HOME one for packages.
local shell = require "spec.support.shell"

--- Call inside `describe` with busted's `setup` and `teardown`: answers a table whose `path` is the
--- folder while the tests run, and whose `run(words)` runs the `codecell` command with it.
return function(setup, teardown)
  local home = {}
  local getenv = os.getenv

  setup(function()
    home.path, home.cache = shell.folder(), shell.folder()
    rawset(os, "getenv", function(name)
      if name == "CODECELL_HOME" then
        return home.path
      elseif name == "XDG_CACHE_HOME" then
        return home.cache
      end
      return getenv(name)
    end)
  end)

  teardown(function()
    rawset(os, "getenv", getenv)
    collectgarbage()
    collectgarbage()
    for _, path in ipairs({ home.path, home.cache }) do
      os.execute("chmod -R u+rwx " .. shell.quote(path))
      shell.remove(path)
    end
  end)

  function home.run(words, options)
    return shell.run(("CODECELL_HOME=%s XDG_CACHE_HOME=%s %s %s"):format(shell.quote(home.path),
      shell.quote(home.cache), shell.codecell, words), options)
  end

  -- The names below the folder, sorted, without the random parts.
  function home.tree()
    local found = shell.run("cd " .. shell.quote(home.path) .. " && find . | LC_ALL=C sort").stdout
    return (found:gsub("home%-%w+", "home-ID"))
  end

  return home
end
