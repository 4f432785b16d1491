--- A text that arrives in parts, cut anywhere.
---
--- Lines go to the machine whole. Only where a part of a line can already be told to be plain text
--- or plain code is it given out early, so that a reader of a stream does not wait for its end.
local Machine = require "codecell.agent.blocks.machine"
local container = require "codecell.agent.blocks.container"
local unicode = require "codecell.agent.unicode"

local concat = table.concat

---@class codecell.BlockParser
---@field blocks codecell.Block[] those found so far
local Parser = {}
Parser.__index = Parser

--- Make a parser.
---@param opts table checked options, see `codecell.blocks.scan`
---@return codecell.BlockParser
function Parser.new(opts)
  local machine = Machine.new(opts, 0, false)
  return setmetatable({
    machine = machine,
    blocks = machine.blocks,
    opts = opts,
    pending = {}, -- parts of the line that is not all there
    released = 0, -- bytes of it that were given out
    tail = "", -- bytes of it that were not, because they end within a character
    position = 1,
    number = 0,
  }, Parser)
end

function Parser:take_line(line, eol)
  local start, released = self.position, self.released
  self.position = start + #line + #eol
  self.number = self.number + 1
  self.released, self.tail, self.mode = 0, "", nil
  if line:byte(-1) == 13 then
    line, eol = line:sub(1, -2), "\r" .. eol
  end
  self.machine:line(line, eol, start, self.number, released)
end

-- Give out a part of a line, but for a character or a line ending that is not all there.
function Parser:release(part)
  part = self.tail .. part
  local keep = part:byte(-1) == 13 and 1 or unicode.incomplete(part)
  self.tail = part:sub(#part - keep + 1)
  part = part:sub(1, #part - keep)
  if part == "" then
    return
  end
  self.machine:emit_part(part, self.released == 0)
  self.released = self.released + #part
end

-- Decide whether the beginning of a line can be given out before its end is known.
function Parser:decide(head)
  local machine = self.machine
  self.mode = "hold"
  if machine.state == "text" then
    local first = head:match("^[%s>*+%-%d.)]*()")
    local byte = head:byte(first)
    if byte ~= 96 and byte ~= 126 then
      self.mode = "plain"
      self:release(head)
    end
    return
  end
  local byte = head:byte(head:match("^[%s>]*()"))
  if byte == 96 or byte == 126 or byte == 60 and machine.aside then
    return -- which may end the block
  end
  local matched, at, column, spare = container.continue(machine.stack, head, "loose")
  if matched == #machine.stack then
    self.mode = "plain"
    self:release((machine:unindent(head, at, column, spare)))
  end
end

function Parser:take_part(part)
  self.pending[#self.pending + 1] = part
  local state, opts = self.machine.state, self.opts
  if self.machine.ahead or self.mode == "hold" then
    return
  elseif self.mode == "plain" then
    self:release(part)
  elseif state == "text" and not (opts.tags or opts.calls) then
    if part:find("[^%s>*+%-%d.)]") then
      self:decide(concat(self.pending))
    end
  elseif state == "fence" and part:find("[^%s>]") then
    self:decide(concat(self.pending))
  end
end

-- Read a chunk without answering.
function Parser:read(chunk)
  local at = 1
  while true do
    local stop = chunk:find("\n", at, true)
    if not stop then
      break
    end
    local line = chunk:sub(at, stop - 1)
    if #self.pending > 0 then
      self.pending[#self.pending + 1] = line
      line, self.pending = concat(self.pending), {}
    end
    self:take_line(line, "\n")
    at = stop + 1
  end
  if at <= #chunk then
    self:take_part(chunk:sub(at))
  end
end

--- Read the next part of the text, cut anywhere.
---@param chunk string
---@return table[] events in order: `{type = "text", text =}`, `{type = "open", block =}`,
---  `{type = "code", text =, block =}`, `{type = "close", block =}`. The texts of a block's
---  `code` events make its code (its `raw`, where prompts were taken out of it). No event's text
---  ends within a UTF-8 character or within a line that may be a fence.
function Parser:feed(chunk)
  if type(chunk) ~= "string" then
    error(("feed: the chunk must be a string, not a %s"):format(type(chunk)), 2)
  elseif self.finished then
    error("feed: the parser is finished", 2)
  end
  self:read(chunk)
  return self.machine:take_events()
end

--- Say that the text has ended.
---@param stop_reason string? why the model stopped: "stop_sequence" lets an open block run, for
---  the sequence stands where its closing fence would; "length" and all others do not
---@return table[] events the last ones
function Parser:finish(stop_reason)
  if self.finished then
    return {}
  end
  stop_reason = stop_reason or self.opts.stop_reason
  if #self.pending > 0 then
    local line = concat(self.pending)
    self.pending = {}
    self:take_line(line, "")
  end
  self.machine:finish(stop_reason)
  self.finished = true
  return self.machine:take_events()
end

return Parser
