-- package_index.lua -- an index of packages on the loopback, as package_index.py has it, and
-- sandboxes that have their packages from there. What is kept is kept in a folder of the test's.
local codecell = require "codecell"
local shell = require "spec.support.shell"

local package_index = {}

local function start_program(folder)
  shell.write(folder .. "/alive", "")
  os.execute(("(timeout 900 /usr/bin/python3 -B spec/support/package_index.py %s > %s/out 2>&1 "
    .. "< /dev/null) > /dev/null 2>&1 &"):format(folder, folder))
  local patience = os.time() + 60
  while not shell.read(folder .. "/port") and os.time() < patience do
    codecell.step(0.02)
  end
  return "127.0.0.1:" .. assert(shell.read(folder .. "/port"), shell.read(folder .. "/out"))
end

-- Its process reads its environment by this function alone.
local function set_cache(path)
  local getenv = os.getenv
  local function given(name)
    if name == "XDG_CACHE_HOME" then
      return path
    end
    return getenv(name)
  end
  os.getenv = given -- luacheck: ignore 122
  return function()
    os.getenv = getenv -- luacheck: ignore 122
  end
end

-- Start it.
local function start()
  local folder, cache, made = shell.folder(), shell.folder(), {}
  local place = start_program(folder)
  local restore = set_cache(cache)
  local http = require "codecell.http"
  local index = {
    folder = folder, cache = cache, url = "http://" .. place .. "/simple/",
    json = "http://" .. place .. "/json/", private = place .. "/private/simple/",
    registry = "http://" .. place .. "/npm/",
  }

  function index.log()
    return codecell.assert(codecell.assert(http.request { url = "http://" .. place .. "/log" })
      :all(2 ^ 20))
  end

  function index.create(options)
    options = options or {}
    if options.packages ~= false then
      options.packages = options.packages or {}
      options.packages.index = options.packages.index or index.url
      options.packages.registry = options.packages.registry or index.registry
    end
    local sandbox = codecell.assert(codecell.create(options))
    made[#made + 1] = sandbox
    return sandbox
  end

  function index.close_sandboxes()
    for _, sandbox in ipairs(made) do
      sandbox:close()
    end
    made = {}
  end

  function index.close()
    index.close_sandboxes()
    restore()
    os.remove(folder .. "/alive")
    shell.remove(folder)
    shell.remove(cache)
  end

  return index
end

--- Call inside `describe` with busted's `setup`, `teardown` and, to end the sandboxes of `create`
--- after each test, `after_each`. Answers a table that while the tests run has {folder, cache, url,
--- json, private, registry, log, create, close_sandboxes}: `folder` has files that can be
--- installed, `cache` is what is kept; log() gives what was asked for since the last time.
function package_index.new(setup, teardown, after_each)
  local index = {}
  setup(function()
    for name, value in pairs(start()) do
      index[name] = value
    end
  end)
  teardown(function() index.close() end)
  if after_each then
    after_each(function() index.close_sandboxes() end)
  end
  return index
end

--- What code comes to: its value, or the text of its error.
function package_index.value(sandbox, code, language)
  local execution = codecell.assert(sandbox:run_code(code, { language = language }))
  return execution.text or execution.error and execution.error.value
end

--- Whether a test cannot be made, and its file's `pending` has been told why.
function package_index.needs_pip(pending)
  local ok = os.execute("/usr/bin/python3 -m pip --version > /dev/null 2>&1")
  return not (ok == true or ok == 0) and (pending("python3-pip is not installed") or true)
end

function package_index.needs_npm(pending)
  return not shell.read("/usr/bin/npm") and (pending("npm is not installed") or true)
end

return package_index
