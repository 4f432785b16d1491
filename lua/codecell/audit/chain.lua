--- The lines of an audit file: how each is laid out, byte for byte, and what it is sealed with.
---
--- A head holds the digest of its content and that of the head before it; so a content can be
--- emptied without breaking the chain. docs/audit.md has the format.
local core = require "codecell.core"

local chain = {}

chain.LINE_MOST = 64 * 1024 * 1024 -- bytes of a line, with its end
local TAIL = 640 -- bytes: more than any head with what is around it
chain.EMPTY = "null" -- a content that was emptied
local OPENING = '{"content":'

---@class codecell.AuditHead
---@field at number seconds since 1970
---@field content string digest of the content
---@field event string
---@field number integer
---@field of integer? of an outcome: the number of what it is the outcome of
---@field phase string? "before", "after"
---@field previous string digest of the head before

--- The SHA-256 of some bytes.
---@param text string
---@return string digits hexadecimal
function chain.digest(text)
  return core.digest("sha256"):update(text):finish()
end

-- With microseconds, whatever the locale has for a decimal point.
local function seconds_of(at)
  local whole = math.floor(at)
  return ("%.0f.%06.0f"):format(whole, math.floor((at - whole) * 1e6))
end

--- The line of a record, and the digest that the next one follows on.
---@param record {at: number, event: string, number: integer, phase: string?, of: integer?,
---previous: string, content: string}
---@return string line
---@return string digest
function chain.line(record)
  local head = ('{"at":%s,"content":"%s","event":"%s","number":%.0f%s%s,"previous":"%s"}'):format(
    seconds_of(record.at), chain.digest(record.content), record.event, record.number,
    record.of and (',"of":%.0f'):format(record.of) or "",
    record.phase and (',"phase":"%s"'):format(record.phase) or "", record.previous)
  local digest = chain.digest(head)
  return table.concat({ OPENING, record.content, ',"head":', head, ',"digest":"', digest, '"}\n' }),
    digest
end

--- Whether a word can stand in a head as an event.
---@param word any
---@return boolean
function chain.is_event(word)
  return type(word) == "string" and #word <= 32 and word:find("^%l[%l_]*$") ~= nil
end

local function is_digest(text)
  return #text == 64 and not text:find("[^%da-f]")
end

-- What stands in a head between the number and the digest before, or nil.
local function middle(text)
  local of, rest = text:match('^,"of":(%d+)(.*)$')
  rest = of and rest or text
  local phase = rest:match('^,"phase":"(%l+)"$')
  if rest ~= "" and phase ~= "before" and phase ~= "after" then
    return nil
  end
  return { of = tonumber(of), phase = phase }
end

---@param text string
---@return codecell.AuditHead?
local function parse_head(text)
  local at, content, event, number, between, previous = text:match(
    '^{"at":(%d+%.%d+),"content":"(%w+)","event":"([%l_]+)","number":(%d+)(.-),'
    .. '"previous":"(%w+)"}$')
  local head = at and #number <= 15 and #at <= 32 and is_digest(content) and is_digest(previous)
    and middle(between)
  if not head then
    return nil
  end
  local whole, rest = at:match("^(%d+)%.(%d+)$") -- whatever the locale has for a decimal point
  head.at = tonumber(whole) + tonumber(rest) / 10 ^ #rest
  head.content, head.event = content, event
  head.number, head.previous = tonumber(number), previous
  return head
end

--- The end of a line: its head, as text and as what it says, its digest, and how many bytes they
--- take; nil: it is no record.
---@param text string the last bytes of the line or all of it, without its line feed
---@return codecell.AuditHead? head
---@return string? text
---@return string? digest
---@return integer? length
function chain.ending(text)
  local head, digest = text:sub(-TAIL):match(',"head":({[^{}]*}),"digest":"(%w+)"}$')
  if not head or not is_digest(digest) then
    return nil
  end
  local parsed = parse_head(head)
  return parsed, head, digest, parsed and #head + #digest + #',"head":,"digest":""}'
end

--- Take a line apart.
---@param line string without its line feed
---@return codecell.AuditHead? head nil: it is no record
---@return string? content
---@return string? digest
---@return string? problem a record, but not as it was written
function chain.parse(line)
  local head, text, digest, length = chain.ending(line)
  if not head or line:sub(1, #OPENING) ~= OPENING or #line <= #OPENING + length then
    return nil
  end
  local content = line:sub(#OPENING + 1, #line - length)
  if chain.digest(text) ~= digest then
    return head, content, digest, "its head is not what its digest says"
  elseif content ~= chain.EMPTY and chain.digest(content) ~= head.content then
    return head, content, digest, "its content is not what its head says"
  end
  return head, content, digest
end

--- The same line without its content.
---@param line string without its line feed, a record
---@return string line with its line feed
function chain.emptied(line)
  local _, _, _, length = chain.ending(line)
  return OPENING .. chain.EMPTY .. line:sub(#line - length + 1) .. "\n"
end

chain.tail = TAIL

return chain
