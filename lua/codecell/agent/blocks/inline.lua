--- What stands in plain text instead of a fence: `<code>` tags, and calls written as JSON.
---
--- Functions on the machine of `machine.lua`, found only where options ask for them.
local call = require "codecell.agent.blocks.call"
local info = require "codecell.agent.blocks.info"

local concat = table.concat

-- A call that is longer is text.
local CALL_BYTES = 1048576

local inline = {}

-- A line inside a tag, from a position on.
function inline.tag_line(machine, line, eol, start, number, from)
  local first, last = line:find("</code>", from, true)
  local rest = line:sub(from, first and first - 1)
  local is_whole = from == 1 and not first
  if is_whole or rest:find("%S") then
    machine:content(rest, 0, eol, start + from - 1, start + #line - 1, number)
  end
  if first then
    machine:end_block(start + last - 1, number, true)
    return inline.text_tags(machine, line, eol, start, number, last + 1)
  end
end

-- Text that may hold <code>. In a code span it is only a word.
function inline.text_tags(machine, line, eol, start, number, from)
  local opts, at, ticks, counted = machine.opts, from, 0, from
  while true do
    local first, last, rest = line:find("<code([^<>]*)>", at)
    if not first then
      machine:emit_text(line:sub(from) .. eol)
      return
    end
    local _, more = line:sub(counted, first - 1):gsub("`", "")
    ticks, counted, at = ticks + more, first, last + 1
    if ticks % 2 == 0 and (rest == "" or rest:find("^%s")) then
      machine:emit_text(line:sub(from, first - 1))
      local word, attrs = info.parse(rest:match("^%s*(.*)$"))
      word = attrs.lang or attrs.language or attrs.class or word
      word = type(word) == "string" and word:gsub("^language%-", "") or ""
      if word == "" then
        word = opts.tags == true and (opts.untagged or "python") or opts.tags
      end
      machine:open_block("tag", word, rest, attrs, start + first - 1, number)
      machine.state = "tag"
      return inline.tag_line(machine, line, eol, start, number, last + 1)
    end
  end
end

-- More of a call, from a position of a line on.
function inline.call_line(machine, line, eol, start, number, from)
  local held = machine.call
  local stop = call.finish(held.braces, line, from)
  held.pieces[#held.pieces + 1] = line:sub(from, stop)
  held.bytes = held.bytes + #line + 1
  held.lines[#held.lines + 1] = { line = line, eol = eol, start = start, number = number }
  if not stop then
    if held.bytes > CALL_BYTES then
      inline.give_up_call(machine)
    end
    return
  end
  local source = concat(held.pieces, "\n")
  local word, code = call.read(source)
  if not word then
    return inline.give_up_call(machine)
  end
  stop = line:match("^%s*%)()", stop + 1) or stop + 1
  machine.call = nil
  machine:emit_text(held.indent)
  local work = machine:open_block("call", word, "", {}, held.first, held.number)
  work.block.raw, work.pieces = source, { code }
  machine:emit_code(code)
  machine:end_block(start + stop - 2, number, true)
  machine:emit_text(line:sub(stop) .. eol)
end

-- Begin a call if the line looks like one. Returns whether it took the line.
function inline.open_call(machine, line, eol, start, number)
  local brace = start >= machine.call_limit and call.start(line)
  if not brace then
    return false
  end
  machine.state = "call"
  machine.call = {
    braces = { depth = 0, quoted = false }, pieces = {}, lines = {}, bytes = 0,
    first = start + line:find("%S") - 1, number = number, indent = line:match("^%s*"),
  }
  inline.call_line(machine, line, eol, start, number, brace)
  return true
end

-- It was no call: its lines are text.
function inline.give_up_call(machine)
  local lines = machine.call.lines
  machine.call, machine.state, machine.call_limit = nil, "text", machine.past
  for _, held in ipairs(lines) do
    machine:line(held.line, held.eol, held.start, held.number, 0)
  end
end

return inline
