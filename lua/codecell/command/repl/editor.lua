--- Reads pieces of code from a terminal, each of as many lines as it needs.
local buffer = require "codecell.command.repl.buffer"
local keys = require "codecell.command.repl.keys"
local reactor = require "codecell.reactor"
local screen = require "codecell.command.repl.screen"
local wait = require "codecell.wait"

local ESCAPE = 0.05 -- seconds after which an escape character is the key
local PASTING, NO_PASTING = "\27[?2004h", "\27[?2004l"

---@class codecell.Editor
local Editor = {}
Editor.__index = Editor

local editor = {}

--- What it works with.
---@param given {reader: userdata, out: table, past: codecell.Past, complete: function,
---is_open: function, indent: function}
---@return codecell.Editor
function editor.new(given)
  return setmetatable({
    reader = given.reader, out = given.out, past = given.past, complete = given.complete,
    is_open = given.is_open, indent = given.indent, keys = keys.new(),
    screen = screen.new(given.out), buffer = buffer.new(),
  }, Editor)
end

-- ---- keys ----

--- Take what was typed, without waiting.
---@return boolean? any nil: the terminal is gone
function Editor:gather()
  local bytes = self.reader:try_read()
  if bytes then
    self.keys:feed(bytes)
  end
  return bytes ~= nil and bytes ~= false or bytes
end

--- Whether Ctrl-C was typed while code ran; what was typed before it does not count then.
---@return boolean
function Editor:take_interrupt()
  local rest = self.keys.bytes:match("^.*\3(.*)$")
  if rest then
    self.keys.bytes = rest
  end
  return rest ~= nil
end

-- The next key; nil: the terminal is gone. The size of the screen may change meanwhile.
local function next_key(self)
  local key = self.keys:next(false)
  while not key do
    if self:gather() == nil then
      return nil
    end
    key = self.keys:next(false)
    if not key then
      local is_half = self.keys:has_more()
      local rows, columns = self.screen.size()
      wait.wait(self.reader, is_half and reactor.now() + ESCAPE or nil)
      local new_rows, new_columns = self.screen.size()
      if rows ~= new_rows or columns ~= new_columns then
        self:draw()
      end
      if is_half and self:gather() == false then
        key = self.keys:next(true)
      end
    end
  end
  return key
end

-- ---- what keys do ----

local actions = {}

for name, verb in pairs({
  left = "left", right = "right", home = "home", ["end"] = "finish", ["ctrl-a"] = "home",
  ["ctrl-e"] = "finish", ["ctrl-b"] = "left", ["ctrl-f"] = "right", delete = "delete",
  backspace = "backspace", ["word-left"] = "word_left", ["word-right"] = "word_right",
  ["ctrl-w"] = "rub_word", ["rub-word"] = "rub_word", ["delete-word"] = "delete_word",
  ["ctrl-k"] = "kill", ["ctrl-u"] = "kill_back", ["ctrl-y"] = "yank",
}) do
  actions[name] = function(self)
    self.buffer[verb](self.buffer)
  end
end

local function recall(self, step)
  local text = self.past:move(step, self.buffer.text)
  if text then
    self.buffer:set(text)
  end
end

function actions.up(self)
  if not self.buffer:up() then
    recall(self, -1)
  end
end

function actions.down(self)
  if not self.buffer:down() then
    recall(self, 1)
  end
end

actions["ctrl-p"] = function(self)
  recall(self, -1)
end

actions["ctrl-n"] = function(self)
  recall(self, 1)
end

actions["ctrl-l"] = function(self)
  self.screen:clear()
end

actions["new-line"] = function(self)
  self.buffer:insert("\n")
end

actions["ctrl-c"] = function(self)
  self.out:write("^C")
  return "interrupt"
end

actions["ctrl-d"] = function(self)
  if self.buffer.text == "" then
    return "end"
  end
  self.buffer:delete()
end

function actions.enter(self)
  local text = self.buffer.text
  local is_last = not text:find("\n", self.buffer.at + 1, true)
  if is_last and not self.is_open(text) then
    return "done"
  end
  local is_pasted = self.keys:has_more()
  self.buffer:insert("\n" .. (is_pasted and "" or self.indent(text:sub(1, self.buffer.at))))
end

-- What all names begin with.
local function common(names)
  local prefix = names[1]
  for _, name in ipairs(names) do
    while name:sub(1, #prefix) ~= prefix do
      prefix = prefix:sub(1, -2)
    end
  end
  return prefix
end

function actions.tab(self)
  local before = self.buffer.text:sub(1, self.buffer.at)
  if before:match("[^\n]*$"):find("^%s*$") then
    self.buffer:insert("    ")
    return
  end
  local word, names = self.complete(before)
  local prefix = names[1] and common(names)
  if prefix and #prefix > #word then
    self.buffer:insert(prefix:sub(#word + 1))
  elseif names[2] then
    self.screen:list(names)
  end
end

-- ---- looking for what was typed before ----

local function search_prompt(found, query)
  local text = (found and "(search) %s: " or "(no such) %s: "):format(query)
  return { shown = text, width = #text }
end

local function search(self)
  local query, index, text = "", nil, nil
  while true do
    self.screen:draw(text or "", 0, search_prompt(query == "" or text, query:gsub("%c", " ")),
      self.continuation)
    local key = next_key(self)
    if not key or key.name == "ctrl-c" or key.name == "ctrl-g" then
      return key and nil or "end"
    elseif key.text then
      query = query .. key.text
      index, text = self.past:find(query, index)
    elseif key.name == "backspace" then
      query = query:sub(1, -2)
      index, text = self.past:find(query, nil)
    elseif key.name == "ctrl-r" then
      local older, found = self.past:find(query, index and index - 1)
      index, text = older or index, found or text
    else
      self.buffer:set(text or self.buffer.text)
      return key.name == "enter" and actions.enter(self) or nil
    end
  end
end

actions["ctrl-r"] = search

-- ---- reading ----

--- Draw what is there.
function Editor:draw()
  self.screen:draw(self.buffer.text, self.buffer.at, self.prompt, self.continuation)
end

local function act(self, key)
  if key.text then
    self.buffer:insert(key.text)
    return nil
  end
  local action = actions[key.name]
  return action and action(self)
end

--- Read a piece of code.
---@param prompt string
---@return string? text nil: it was given up, or there is no more
---@return "interrupt"|"end"|nil why
function Editor:read(prompt)
  self.prompt = { shown = self.out:style("green", prompt), width = #prompt }
  self.continuation = { shown = self.out:style("dim", ("."):rep(#prompt - 1) .. " "),
    width = #prompt }
  self.buffer:set("")
  self.past:rewind()
  self.out:write(PASTING)
  local outcome
  repeat
    if not self.keys:has_more() then
      self:draw()
    end
    local key = next_key(self)
    outcome = not key and "end" or act(self, key)
  until outcome
  if outcome == "done" then
    self.buffer.at = #self.buffer.text
  end
  if outcome ~= "interrupt" then
    self:draw()
  end
  self.screen:leave()
  self.out:write(NO_PASTING)
  self.out.stream:flush()
  if outcome == "done" then
    return self.buffer.text
  end
  return nil, outcome
end

return editor
