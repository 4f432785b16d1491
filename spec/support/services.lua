-- services.lua -- services that end with the test that has made them, and what they log.
local codecell = require "codecell"

--- Call inside `describe` with busted's `before_each` and `after_each`: answers a function that
--- makes a service, on this machine, with no pool and no limit of its rate unless it is told
--- otherwise, and a function that gives the lines of the log since the test began.
return function(before_each, after_each)
  local open = setmetatable({}, { __mode = "k" }) -- a test may look at what holds one
  local lines, sink

  before_each(function()
    lines, sink = {}, codecell.log.sink
    codecell.log.sink = function(level, message, fields)
      lines[#lines + 1] = { level = level, message = message, fields = fields }
    end
  end)

  after_each(function()
    for service in pairs(open) do
      service:close()
    end
    codecell.log.sink = sink
  end)

  return function(given)
    given.mode = given.mode or "kernel"
    given.pool_size = given.pool_size or 0
    given.rate_limit_per_min = given.rate_limit_per_min or 0
    local service = codecell.assert(codecell.service(given))
    open[service] = true
    return service
  end, function()
    return lines
  end
end
