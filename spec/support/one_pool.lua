-- one_pool.lua -- a pool for all tests of a block, made at its first use, closed after them.
local codecell = require "codecell"

local LONG = 60 -- seconds that no pool takes to be full

--- Call inside `describe` with busted's `teardown`: answers a function that gives the pool, full.
return function(teardown, options)
  local pool
  teardown(function()
    if pool then
      pool:close()
      pool = nil
    end
  end)
  return function()
    pool = pool or codecell.assert(codecell.pool(options))
    codecell.assert(pool:wait(LONG))
    return pool
  end
end
