--- Where a command writes: a terminal that a person looks at, or a pipe.
---
--- On a terminal text from a sandbox keeps its colours and loses every other
--- control sequence; into a pipe it goes byte for byte.
local command = require "codecell.command"
local core = require "codecell.core"
local safe = require "codecell.agent.terminal"

local terminal = {}

local STYLES = { bold = "1", dim = "2", red = "31", green = "32", yellow = "33", cyan = "36" }

local Output = {}
Output.__index = Output

--- A stream of this process.
---@param stream file* io.stdout or io.stderr
---@param descriptor integer its number
function terminal.open(stream, descriptor)
  local people = core.isatty(descriptor)
  local colours = people and os.getenv "NO_COLOR" == nil and os.getenv "TERM" ~= "dumb"
  return setmetatable({
    stream = stream,
    descriptor = descriptor,
    is_terminal = people,
    colours = colours,
    filter = people and safe.filter(colours and "keep" or "drop"),
    in_line = false,
  }, Output)
end

--- Text of codecell's own.
---@param ... string
function Output:write(...)
  command.check_written(self.stream:write(...))
end

--- `text` in a style, where the terminal has colours.
---@param style "bold"|"dim"|"red"|"green"|"yellow"|"cyan"
---@param text string
---@return string
function Output:style(style, text)
  return self.colours and "\27[" .. STYLES[style] .. "m" .. text .. "\27[0m" or text
end

--- A piece of what sandboxed code wrote, shown at once.
---@param text string
function Output:foreign(text)
  if self.filter then
    text = self.filter(text)
  end
  if text ~= "" then
    self:write(text)
    self.in_line = text:sub(-1) ~= "\n"
    command.check_written(self.stream:flush())
  end
end

--- After the last piece: no colour stays on, and the next text starts a line.
function Output:settle()
  if self.is_terminal then
    self:write(self.filter() or "", self.colours and "\27[0m" or "", self.in_line and "\n" or "")
    self.in_line = false
  end
  command.check_written(self.stream:flush())
end

return terminal
