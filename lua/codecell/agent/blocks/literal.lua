--- Whether a program, read line by line, stops inside a literal that spans lines: a triple-quoted
--- string, a long bracket, a here-document. A fence inside one does not end the block.
---
--- This is a lexer for literals and comments only. It errs towards "not inside".
local literal = {}

---@class codecell.blocks.Scanner
---@field open string? what would end the literal that is open, nil outside of one
---@field broken integer lines so far that end inside a string of one line
---@field line fun(self: codecell.blocks.Scanner, text: string) read the next line

-- A triple-quoted literal: look for its end, minding backslashes.
local function finish_triple(self, text, at)
  local quote = self.open:sub(1, 1)
  local pattern = quote == '"' and '[\\"]' or "[\\']"
  while true do
    at = text:find(pattern, at)
    if not at then
      return #text + 1
    elseif text:byte(at) == 92 then
      at = at + 2
    elseif text:sub(at, at + 2) == self.open then
      self.open = nil
      return at + 3
    else
      at = at + 1
    end
  end
end

-- A string of one line: the position after it, or past the end of the line.
local function finish_string(self, text, at, quote)
  local pattern = quote == '"' and '[\\"]' or "[\\']"
  while true do
    at = text:find(pattern, at)
    if not at then
      self.broken = self.broken + 1
      return #text + 1
    elseif text:byte(at) == 92 then
      if at >= #text then
        return #text + 1 -- goes on in the next line
      end
      at = at + 2
    else
      return at + 1
    end
  end
end

local function triple_line(self, text)
  local at = 1
  while at <= #text do
    if self.open then
      at = finish_triple(self, text, at)
    else
      at = text:find(self.stops, at)
      if not at then
        return
      end
      local quote = text:sub(at, at)
      if self.comment == text:sub(at, at + #self.comment - 1) then
        return
      elseif quote == "/" then
        at = at + 1
      elseif text:sub(at, at + 2) == quote:rep(3) then
        self.open = quote:rep(3)
        at = at + 3
      else
        at = finish_string(self, text, at + 1, quote)
      end
    end
  end
end

local function lua_line(self, text)
  local at = 1
  while at <= #text do
    if self.open then
      local _, last = text:find(self.open, at, true)
      if not last then
        return
      end
      self.open, at = nil, last + 1
    else
      at = text:find("[%[\"'%-]", at)
      if not at then
        return
      end
      local mark = text:sub(at, at)
      local comment = text:match("^%-%-()", at)
      local level, past = text:match("^%[(=*)%[()", comment or at)
      if level then
        self.open, at = "]" .. level .. "]", past
      elseif comment then
        return
      elseif mark == "[" or mark == "-" then
        at = at + 1
      else
        at = finish_string(self, text, at + 1, mark)
      end
    end
  end
end

-- Only here-documents; quotes of a shell are too easily misread.
local function shell_line(self, text)
  if self.open then
    if (self.tabs and text:gsub("^\t+", "") or text) == self.open then
      self.open = nil
    end
    return
  end
  if text:find("^%s*#") then
    return
  end
  local dash, word = text:match("%f[<]<<(%-?)[ \t]*['\"\\]?([%a_][%w_]*)")
  if word then
    self.open, self.tabs = word, dash == "-"
  end
end

local function triple(comment, apostrophes)
  local stops = "[\"" .. (apostrophes and "'" or "") .. comment:sub(1, 1) .. "]"
  return function()
    return { line = triple_line, comment = comment, stops = stops, broken = 0 }
  end
end

local SCANNERS = {
  bash = function()
    return { line = shell_line, broken = 0 }
  end,
  dart = triple("//", "apostrophes"),
  elixir = triple("#"),
  groovy = triple("//", "apostrophes"),
  java = triple("//"),
  julia = triple("#"),
  kotlin = triple("//"),
  lua = function()
    return { line = lua_line, broken = 0 }
  end,
  python = triple("#", "apostrophes"),
  scala = triple("//"),
  swift = triple("//"),
}

--- A scanner for a language.
---@param name string? canonical name
---@return codecell.blocks.Scanner? nil where the language's literals are not known
function literal.scanner(name)
  local make = SCANNERS[name]
  return make and make()
end

return literal
