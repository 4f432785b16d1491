--- What is attacked: this program, and canaries that it makes: a private temporary file, a file in
--- the home, and a server on the loopback and at an abstract socket that tells a word.
local core = require "codecell.core"
local errors = require "codecell.errors"
local processes = require "codecell.command.processes"
local write = require "codecell.write"

local victim = {}

-- Addresses of this machine but those of its loopback.
local function addresses()
  local list, last, seen = {}, "", {}
  for line in (processes.read "/proc/net/fib_trie" or ""):gmatch "[^\n]+" do
    last = line:match "%-%- (%d+%.%d+%.%d+%.%d+)" or last
    if line:find("/32 host LOCAL", 1, true) and not last:find "^127%." and not seen[last] then
      seen[last] = true
      list[#list + 1] = last
    end
  end
  return list
end

local ABSTRACT_MOST = 20

-- Abstract sockets that other programs of this machine listen at.
local function abstract_names()
  local list = {}
  for name in (processes.read "/proc/net/unix" or "")
    :gmatch " 00010000 %x+ %d+ +%d+ @([%w/_.:,-]+)\n" do
    list[#list + 1] = #list < ABSTRACT_MOST and name or nil
  end
  return list
end

-- Tells the word to everybody; visits itself first, so that silence later means something.
local function listen(self)
  local server = require "codecell.server"
  local made, err = server.new(function(request)
    request:reply(200, { ["content-type"] = "text/plain" }, self.token)
  end)
  local place
  if made then
    place, err = made:listen()
  end
  if place then
    self.given.port = place.port
    place, err = made:listen { unix = "@" .. self.given.name }
  end
  local answer
  if place then
    answer, err = require("codecell.http").request {
      url = ("http://127.0.0.1:%d/"):format(self.given.port),
    }
  end
  if answer and answer:all(#self.token) ~= self.token then
    err = errors.new("system", "the listener to be attacked does not answer")
  end
  if err and made then
    made:close()
  end
  return not err and made or nil, err
end

--- Make all of it.
---@return table? victim `token`, which no attack is told; `given`, what all of them know
---@return codecell.Error? err
function victim.make()
  local self = { token = core.random_id(32) }
  local name = "codecell-victim-" .. core.random_id(8)
  local file = os.tmpname() -- nobody else may read it
  self.given = {
    name = name, file = file, outside = file .. ".written", pid = core.getpid(),
    home = (os.getenv "HOME" or "/root"):gsub("/$", "") .. "/." .. name,
    addresses = addresses(), abstract = abstract_names(), port = 0,
    address = tonumber(tostring({}):match "0x(%x+)", 16) or 4096, -- of this program's memory
  }
  if not write(file, self.token) then
    return nil, errors.new("system", "cannot write " .. file)
  end
  self.has_home = write(self.given.home, self.token)
  self.server, self.deaf = listen(self)
  return self
end

--- What became of it: what has been changed. Everything is removed.
---@param self table
---@return string[] harm one line each
function victim.finish(self)
  local harm, given = {}, self.given
  local function judge(is_well, line)
    harm[#harm + 1] = not is_well and line or nil
  end
  judge(processes.read(given.file) == self.token, given.file .. " was changed")
  judge(not self.has_home or processes.read(given.home) == self.token, given.home .. " was changed")
  for _, path in ipairs { given.outside, given.home .. ".written" } do
    judge(not processes.read(path), path .. " was made outside")
    os.remove(path)
  end
  os.remove(given.file)
  os.remove(given.home)
  if self.server then
    self.server:close()
  end
  return harm
end

return victim
