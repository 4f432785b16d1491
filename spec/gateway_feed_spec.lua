-- What a client of the gateway listens to: all of it, in order, whoever is faster.
local codecell = require "codecell"
local feed = require "codecell.gateway.envd.feed"

describe("a feed", function()
  -- A client that takes a while for each piece; what it has got.
  local function client(pause)
    local got = {}
    return got, {
      start = function(self) self.has_started = true return true end,
      write = function(_, piece)
        got[#got + 1] = piece
        require("codecell.wait").key(nil, codecell.reactor():now() + pause)
        return true
      end,
      finish = function(self) self.has_finished = true end,
      is_left = function() return false end,
    }
  end

  it("loses nothing of what comes while it is being sent #M10", function()
    local listener = feed.new()
    local got, request = client(0.0005)
    local sending = codecell.async(function() return listener:send(request, { headers = {} }) end)
    local sent = {}
    codecell.async(function()
      for i = 1, 300 do
        sent[i] = ("%d:%s;"):format(i, ("x"):rep(40000))
        assert(listener:put(sent[i]))
      end
      listener:finish("done")
    end):wait(60)
    assert.equal("done", sending:wait(60))
    assert.is_true(table.concat(sent) == table.concat(got))
    assert.is_true(request.has_finished)
  end)
end)
