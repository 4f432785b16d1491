-- on_cassette.lua -- loaded before an example: what its sandboxes answer is recorded in the folder
-- of the variable CASSETTES; where a recording is there, it is played by the mock instead.
local codecell = require "codecell"

local folder, count, create = assert(os.getenv "CASSETTES"), 0, codecell.create

codecell.create = function(options)
  count = count + 1
  local path = ("%s/%d.cassette"):format(folder, count)
  local file = io.open(path, "rb")
  local given = {}
  for name, value in pairs(options or {}) do
    given[name] = value
  end
  if file then
    file:close()
    given.backend, given.mock = "mock", { cassette = path }
  else
    given.record = path
  end
  return create(given)
end
