--- Keys of a terminal, from the bytes that it sends.
local unicode = require "codecell.agent.unicode"

local keys = {}

local NAMED = {
  ["\r"] = "enter", ["\n"] = "enter", ["\t"] = "tab", ["\127"] = "backspace", ["\8"] = "backspace",
}

-- By what stands behind the escape character.
local SEQUENCES = {
  ["[A"] = "up", ["[B"] = "down", ["[C"] = "right", ["[D"] = "left", ["[H"] = "home",
  ["[F"] = "end", ["OA"] = "up", ["OB"] = "down", ["OC"] = "right", ["OD"] = "left",
  ["OH"] = "home", ["OF"] = "end", ["[1~"] = "home", ["[3~"] = "delete", ["[4~"] = "end",
  ["[7~"] = "home", ["[8~"] = "end", ["[1;5C"] = "word-right", ["[1;5D"] = "word-left",
  ["[1;3C"] = "word-right", ["[1;3D"] = "word-left", ["[Z"] = "back-tab", ["[200~"] = "paste",
  ["b"] = "word-left", ["f"] = "word-right", ["d"] = "delete-word", ["\127"] = "rub-word",
  ["\r"] = "new-line", ["\n"] = "new-line",
}

local PASTE_END = "\27[201~"
local PASTE_MOST = 1048576 -- bytes
local SEQUENCE_MOST = 32

---@class codecell.Keys
---@field package bytes string that have come and are no key yet
local Keys = {}
Keys.__index = Keys

--- What no byte has come to yet.
---@return codecell.Keys
function keys.new()
  return setmetatable({ bytes = "" }, Keys)
end

--- Bytes of the terminal.
---@param bytes string
function Keys:feed(bytes)
  self.bytes = self.bytes .. bytes
end

local function take(self, count)
  local taken = self.bytes:sub(1, count)
  self.bytes = self.bytes:sub(count + 1)
  return taken
end

-- What was pasted; nil: there is more to come. Line ends are "\n" in it.
local function take_paste(self)
  local till, last = self.bytes:find(PASTE_END, 1, true)
  if not till and #self.bytes < PASTE_MOST then
    return nil
  end
  local text = take(self, last or #self.bytes):sub(1, (till or PASTE_MOST) - 1)
  self.is_pasting = nil
  return { text = unicode.repair(text:gsub("\r\n?", "\n"):gsub("[^\n\t\32-\255]", "")) }
end

-- A key that begins with the escape character; nil: there is more to come.
local function take_sequence(self, is_all)
  local rest = self.bytes:sub(2)
  local sequence = rest:match("^%[[0-?]*[ -/]*[@-~]") or rest:match("^O.")
    or rest:match("^[^%[O]")
  if not sequence then
    if not is_all and #rest < SEQUENCE_MOST then
      return nil
    end
    take(self, 1)
    return { name = "escape" }
  end
  take(self, 1 + #sequence)
  local name = SEQUENCES[sequence]
  if name == "paste" then
    self.is_pasting = true
    return self:next(is_all)
  end
  return { name = name or "unknown" }
end

--- The next key: a table with its `name`, or with `text` of printable characters.
---@param is_all boolean nothing more came for a moment: a lone escape character is the key
---@return {name: string?, text: string?}? key nil: more bytes are needed
function Keys:next(is_all)
  if self.is_pasting then
    return take_paste(self)
  elseif self.bytes == "" then
    return nil
  end
  local first = self.bytes:sub(1, 1)
  if first == "\27" then
    return take_sequence(self, is_all)
  elseif NAMED[first] then
    take(self, 1)
    return { name = NAMED[first] }
  elseif first:byte() < 32 then
    take(self, 1)
    return { name = "ctrl-" .. string.char(first:byte() + 96) }
  end
  local text = self.bytes:match("^[^%c\127]+")
  local half = #text == #self.bytes and unicode.incomplete(text) or 0
  if half == #text and not is_all then
    return nil
  end
  return { text = unicode.repair(take(self, is_all and #text or #text - half)) }
end

--- Whether keys wait that have come already, as those of a paste without brackets have.
---@return boolean
function Keys:has_more()
  return self.bytes ~= ""
end

return keys
