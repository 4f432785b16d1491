-- package_index.lua -- an index of packages on the loopback, as package_index.py has it.
local codecell = require "codecell"
local shell = require "spec.support.shell"

local package_index = {}

--- Start it. Answers {folder, url, private, json, registry, log, close}: the folder has files that
--- can be installed; log() gives what was asked for since the last time.
function package_index.start()
  local folder = shell.folder()
  shell.write(folder .. "/alive", "")
  os.execute(("(timeout 600 /usr/bin/python3 -B spec/support/package_index.py %s > %s/out 2>&1 "
    .. "< /dev/null) > /dev/null 2>&1 &"):format(folder, folder))
  local patience = os.time() + 20
  while not shell.read(folder .. "/port") and os.time() < patience do
    codecell.step(0.02)
  end
  local place = "127.0.0.1:" .. assert(shell.read(folder .. "/port"), shell.read(folder .. "/out"))
  local http = require "codecell.http"
  return {
    folder = folder, url = "http://" .. place .. "/simple/", json = "http://" .. place .. "/json/",
    private = place .. "/private/simple/", registry = "http://" .. place .. "/npm/",
    log = function()
      return codecell.assert(codecell.assert(http.request { url = "http://" .. place .. "/log" })
        :all(2 ^ 20))
    end,
    close = function()
      os.remove(folder .. "/alive")
      shell.remove(folder)
    end,
  }
end

return package_index
