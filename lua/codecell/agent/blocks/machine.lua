--- The states between lines: text, fence, tag, call. `parser` feeds it lines; this finds blocks.
---
--- A closing fence inside a literal is looked past ("ahead"): the lines after it are held until a
--- later fence leaves the program complete, or until the bounds are reached and they are read
--- again as text. Stretches that were looked at in vain are never looked at twice, so that the
--- time is linear.
local aside = require "codecell.agent.blocks.aside"
local container = require "codecell.agent.blocks.container"
local fence = require "codecell.agent.blocks.fence"
local info = require "codecell.agent.blocks.info"
local inline = require "codecell.agent.blocks.inline"
local language = require "codecell.agent.blocks.language"
local literal = require "codecell.agent.blocks.literal"
local verdict = require "codecell.agent.blocks.verdict"

local concat = table.concat

-- Bounds of looking ahead for a later closing fence.
local AHEAD_BYTES = 65536
local AHEAD_LINES = 2000
local AHEAD_TRIES = 16
-- Blocks in blocks in blocks.
local DEPTH_MAX = 4

---@class codecell.blocks.Machine
local Machine = {}
Machine.__index = Machine

--- Make a machine.
---@param opts table checked options, see `codecell.blocks.scan`
---@param depth integer 0 for the text itself, 1 for what is inside a block of it, and so on
---@param is_quiet boolean collect blocks only, no events
---@return codecell.blocks.Machine
function Machine.new(opts, depth, is_quiet)
  return setmetatable({
    opts = opts,
    depth = depth,
    quiet = is_quiet,
    blocks = {},
    events = {},
    text = {},
    state = "text",
    stack = {},
    past = 1, -- position after what was read
    number = 0, -- of the line that was read last
    ahead_limit = 1,
    call_limit = 1,
  }, Machine)
end

-- Events --------------------------------------------------------------------------------------

function Machine:flush_text()
  if #self.text > 0 then
    local text = concat(self.text)
    self.text = {}
    if text ~= "" then
      self.events[#self.events + 1] = { type = "text", text = text }
    end
  end
end

function Machine:emit_text(text)
  if not self.quiet then
    self.text[#self.text + 1] = text
  end
end

function Machine:emit(kind, block, text)
  if not self.quiet then
    self:flush_text()
    self.events[#self.events + 1] = { type = kind, block = block, text = text }
  end
end

--- The events since the last time.
---@return table[]
function Machine:take_events()
  self:flush_text()
  local events = self.events
  self.events = {}
  return events
end

--- Give out a part of a line of text or of code.
---@param part string
---@param is_first boolean
function Machine:emit_part(part, is_first)
  if self.state == "text" then
    self:emit_text(part)
  else
    self:emit_code(is_first and self.work.newline and "\n" .. part or part)
  end
end

function Machine:emit_code(text)
  if not self.quiet and text ~= "" then
    self:emit("code", self.work.block, text)
  end
end

-- Blocks --------------------------------------------------------------------------------------

-- Whether what stands here is only shown: true or nil.
function Machine:is_quoted()
  for _, one in ipairs(self.stack) do
    if one.quote then
      return true
    end
  end
  return self.aside ~= nil or nil
end

-- The tag before thoughts is often in the prompt: what came before their end was not said.
function Machine:end_thoughts()
  for _, block in ipairs(self.blocks) do
    if block.runnable and self.opts.quoted ~= "run" then
      block.quoted, block.runnable, block.why = true, false, "in thoughts"
    end
  end
end

-- Open a block. `start` is its first byte, `last` that of the line it begins on.
function Machine:open_block(form, word, text, attrs, start, number)
  local name, is_session = language.resolve(word, self.opts.aliases)
  local block = {
    code = "", language = name, info = text, attrs = attrs, closed = false, form = form,
    first = start, last = start, first_line = number, last_line = number, runnable = false,
  }
  self.work = {
    block = block, word = word, language = name, is_session = is_session,
    pieces = {}, newline = false, scanner = literal.scanner(name),
  }
  block.quoted = self:is_quoted()
  if self.depth > 0 and self.opts.nested ~= "run" then
    self.work.place_reason = "inside another block"
  elseif block.quoted and self.opts.quoted ~= "run" then
    self.work.place_reason = "in a quotation, an example or thoughts"
  end
  local holds_blocks = name == "markdown" or name == nil and form == "fence"
  self.work.holds_blocks = holds_blocks and self.depth < DEPTH_MAX
  self:emit("open", block)
  return self.work
end

-- An output block says what the program before it should print.
function Machine:link_expected(block)
  local before = self.blocks[#self.blocks]
  if block.language == "output" and before and before.closed and not before.expected
    and language.is_programming(before.language) then
    before.expected = block.code
  end
end

-- Complete the open block; its last byte is `last`.
function Machine:end_block(last, number, closed, why, stop_reason)
  local work = self.work
  local block = work.block
  block.code = concat(work.pieces)
  block.last, block.last_line, block.closed, block.why = last, number, closed, why
  if work.inner then
    work.inner.past = math.min(work.inner.past, last + 1)
    work.inner:finish(stop_reason)
    if #work.inner.blocks > 0 then
      block.nested = work.inner.blocks
    end
  elseif block.form == "tag" then
    self:unwrap(block, work)
  end
  verdict.reach(block, work, self.opts, stop_reason)
  self:link_expected(block)
  self.blocks[#self.blocks + 1] = block
  self.state, self.work, self.paragraph = "text", nil, false
  self:emit("close", block)
end

-- A fence inside a tag, and nothing else there, is the block itself.
function Machine:unwrap(block, work)
  if not block.code:find("^%s*[`~][`~][`~]") then
    return
  end
  -- Without tags: a tag in a tag in a tag would be as many machines.
  local inner = Machine.new({ aliases = self.opts.aliases }, DEPTH_MAX, true)
  inner:whole(block.code)
  local only = inner.blocks[1]
  if #inner.blocks == 1 and only.closed and not block.code:find("%S", only.last + 1) then
    block.raw, block.code = block.code, only.raw or only.code
    block.info, block.attrs = only.info, only.attrs
    if only.language then
      work.language = only.language
    end
  end
end

-- One line of code. `released` bytes of it have been given out already.
function Machine:content(content, released, eol, start, stop, number)
  local work = self.work
  if work.newline then
    work.pieces[#work.pieces + 1] = "\n"
    if released == 0 and not self.ahead then
      self:emit_code("\n" .. content)
    elseif not self.ahead then
      self:emit_code(content:sub(released + 1))
    end
  elseif not self.ahead then
    self:emit_code(content:sub(released + 1))
  end
  work.pieces[#work.pieces + 1] = content
  if work.scanner then
    work.scanner:line(content)
  end
  if work.holds_blocks then
    work.inner = work.inner or Machine.new(self.opts, self.depth + 1, true)
    work.inner:line(content, eol, start, number, 0)
  end
  work.newline, work.last, work.last_line, work.eol = true, stop, number, eol
end

-- Fences --------------------------------------------------------------------------------------

function Machine:open_fence(found, line, eol, start, number)
  self:emit_text(line:sub(1, found.position - 1))
  local word, attrs = info.parse(found.info)
  local work = self:open_block("fence", word, found.info, attrs, start + found.position - 1, number)
  work.fence = found
  work.last, work.last_line, work.eol = start + #line - 1, number, eol
  self.state = "fence"
end

-- Whether the program so far could end here.
function Machine:is_complete()
  local work, ahead = self.work, self.ahead
  if self.opts.parses and language.is_programming(work.language) then
    local answer = self.opts.parses(concat(work.pieces), work.language)
    if answer ~= nil then
      return answer
    end
  end
  local scanner = work.scanner
  return not scanner or not scanner.open and (not ahead or scanner.broken == ahead.broken)
end

-- A line that closes the block, unless it stands inside a literal.
function Machine:close_fence(line, eol, start, number)
  local work, ahead = self.work, self.ahead
  local stop = start + #line - 1
  if self:is_complete() then
    if ahead then
      self.ahead = nil
      work.block.ambiguous = true
      self:emit_code(concat(work.pieces, "", ahead.count + 1))
    end
  elseif ahead then
    ahead.tries = ahead.tries + 1
    return false
  elseif start >= self.ahead_limit then
    self.ahead = {
      count = #work.pieces, last = stop, number = number, eol = eol, lines = {}, bytes = 0,
      tries = 1, broken = work.scanner and work.scanner.broken or 0,
    }
    return false
  end
  self:end_block(stop, number, true)
  self:emit_text(eol)
  return true
end

-- Nothing better was found: the block ends at the first candidate after all.
function Machine:give_up_ahead()
  local ahead, pieces = self.ahead, self.work.pieces
  self.ahead, self.ahead_limit = nil, self.past
  for i = #pieces, ahead.count + 1, -1 do
    pieces[i] = nil
  end
  self:end_block(ahead.last, ahead.number, true)
  self:emit_text(ahead.eol)
  for _, held in ipairs(ahead.lines) do
    self:line(held.line, held.eol, held.start, held.number, 0)
  end
end

-- A line that opens a block cannot be code of this one: so that one was never closed.
function Machine:opens_another(line, at, column, spare)
  local work = self.work
  if self.ahead or not language.is_programming(work.language)
    or work.scanner and work.scanner.open then
    return false
  end
  local other = fence.open(line, at, column, spare)
  if not other or other.mark ~= work.fence.mark or other.length < work.fence.length then
    return false
  end
  local word = info.parse(other.info)
  return word ~= "" and language.resolve(word, self.opts.aliases) ~= nil
end

-- A line of code without the indentation of its fence, and where it begins in the line.
function Machine:unindent(line, at, column, spare)
  local from, _, rest = container.strip(line, at, column, spare, self.work.fence.indent)
  return (" "):rep(rest) .. line:sub(from), from
end

function Machine:fence_line(line, eol, start, number, released)
  local work, stack = self.work, self.stack
  local matched, at, column, spare = container.continue(stack, line, "loose")
  local why
  if matched < #stack and self.ahead then
    return self:give_up_ahead() -- this line is among those that are read again
  elseif matched < #stack then
    why = "not closed: the block quote ended first"
  elseif fence.closes(work.fence, line, at, column, spare) then
    if self:close_fence(line, eol, start, number) then
      return
    end
  elseif self:opens_another(line, at, column, spare) then
    why = "not closed: another block begins"
  elseif self.aside and not self.ahead and aside.is_end(self.aside, line) then
    why = "not closed: what is around it ended first"
  end
  if why then
    local last_eol = work.eol
    self:end_block(work.last, work.last_line, false, why)
    self:emit_text(last_eol)
    return self:text_line(line, eol, start, number, 0)
  end
  local content, from = self:unindent(line, at, column, spare)
  self:content(content, released, eol, start + from - 1, start + #line - 1, number)
end

-- Text ----------------------------------------------------------------------------------------

-- The stack of containers that a line of text leaves, and the fence that it may open.
function Machine:enter_line(line)
  local stack = self.stack
  local left
  local matched, at, column, spare = 0, 1, 0, 0
  if #stack > 0 then
    matched, at, column, spare = container.continue(stack, line)
    if matched < #stack then
      left = {}
      for i = matched + 1, #stack do
        left[#left + 1], stack[i] = stack[i], nil
      end
    end
  end
  at, column, spare = container.open(stack, line, at, column, spare)
  local found = fence.open(line, at, column, spare)
  if left and not found and self.paragraph and #stack == matched then
    for _, one in ipairs(left) do
      stack[#stack + 1] = one -- the paragraph goes on without the marks
    end
  end
  return found
end

function Machine:text_line(line, eol, start, number, released)
  local byte = line:byte(1)
  local opts = self.opts
  if self.aside and aside.closes(self.aside, line) then
    self.aside = nil
  elseif not self.aside and aside.ends_thoughts(line) then
    self:end_thoughts()
  end
  if #self.stack == 0 and not (opts.tags or opts.calls)
    and (not byte or byte >= 65 and byte ~= 96 and byte ~= 126) then
    self.paragraph = byte ~= nil -- by far the most lines
    if not self.quiet then
      self:emit_text(line:sub(released + 1) .. eol)
    end
    return
  end
  if not line:find("%S") then
    self.paragraph = false
    for i = #self.stack, 1, -1 do
      if self.stack[i].quote then
        for j = #self.stack, i, -1 do
          self.stack[j] = nil
        end
      end
    end
    return self:emit_text(line:sub(released + 1) .. eol)
  end
  local found = self:enter_line(line)
  if found then
    return self:open_fence(found, line, eol, start, number)
  end
  self.aside = self.aside or aside.opens(line)
  self.paragraph = true
  if opts.calls and inline.open_call(self, line, eol, start, number) then
    return
  elseif opts.tags then
    return inline.text_tags(self, line, eol, start, number, 1)
  end
  self:emit_text(line:sub(released + 1) .. eol)
end


--- Read one line. Positions are those of the source.
---@param line string without its ending
---@param eol string "\n", "\r\n", or what there is at the end of the text
---@param start integer position of its first byte
---@param number integer of the line
---@param released integer bytes of it that events have given out
function Machine:line(line, eol, start, number, released)
  local ahead, state = self.ahead, self.state
  self.past, self.number = start + #line + #eol, number
  if ahead then
    ahead.lines[#ahead.lines + 1] = { line = line, eol = eol, start = start, number = number }
    ahead.bytes = ahead.bytes + #line + 1
  end
  if state == "text" then
    self:text_line(line, eol, start, number, released)
  elseif state == "fence" then
    self:fence_line(line, eol, start, number, released)
  elseif state == "tag" then
    inline.tag_line(self, line, eol, start, number, 1)
  else
    inline.call_line(self, line, eol, start, number, 1)
  end
  ahead = self.ahead
  if ahead and (ahead.bytes > AHEAD_BYTES or #ahead.lines > AHEAD_LINES
    or ahead.tries > AHEAD_TRIES) then
    self:give_up_ahead()
  end
end

--- Say that there are no more lines.
---@param stop_reason string? why the text ended
function Machine:finish(stop_reason)
  while self.ahead or self.call do
    if self.ahead then
      self:give_up_ahead()
    else
      inline.give_up_call(self)
    end
  end
  if self.work then
    self:end_block(self.past - 1, self.number, false, nil, stop_reason)
  end
end

--- Read a whole text.
---@param text string
---@param stop_reason string?
---@return codecell.Block[]
function Machine:whole(text, stop_reason)
  local at, number = 1, 0
  while at <= #text do
    local stop = text:find("\n", at, true)
    local line, eol = text:sub(at, stop and stop - 1), stop and "\n" or ""
    if line:byte(-1) == 13 then
      line, eol = line:sub(1, -2), "\r" .. eol
    end
    number = number + 1
    self:line(line, eol, at, number, 0)
    at = at + #line + #eol
  end
  self:finish(stop_reason)
  return self.blocks
end

return Machine
