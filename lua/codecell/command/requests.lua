--- Requests of a program, a line each, from standard input. While none comes, whatever runs in the
--- background goes on: commands are read, ports are served, what nobody uses is ended.
local codecell = require "codecell"
local core = require "codecell.core"
local lines = require "codecell.mcp.lines"
local wait = require "codecell.wait"

local STANDARD_INPUT = 0

--- Hear every request until the input ends.
---@param most integer bytes of one
---@param heard fun(line: string|false) false: it was longer
---@return true? ok
---@return codecell.Error? err
return function(most, heard)
  local reader, err = core.reader(codecell.reactor(), STANDARD_INPUT)
  if not reader then
    return nil, err
  end
  local whole = lines.new(most)
  local piece
  repeat
    piece, err = reader:try_read()
    if piece then
      whole:add(piece, heard)
    elseif piece == false then
      wait.wait(reader)
    end
  until piece == nil
  reader:close()
  local rest = whole:rest()
  if rest ~= nil then
    heard(rest)
  end
  return not err or nil, err
end
