--- The checks of a Markdown document: what runs, with what options, and what it is to show.
local blocks = require "codecell.agent.blocks"
local info = require "codecell.agent.blocks.info"
local interpret = require "codecell.agent.interpret"
local prompt = require "codecell.agent.blocks.prompt"
local words = require "codecell.agent.blocks.language"

local document = {}

-- What begins a comment that says what the line shows.
local MARKS = {
  bash = "#>", c = "//>", cpp = "//>", go = "//>", java = "//>", javascript = "//>", lua = "-->",
  perl = "#>", php = "//>", python = "#>", r = "#>", ruby = "#>", rust = "//>",
  typescript = "//>",
}
local COMMENT_MOST = 1000 -- bytes before a block in which its options are looked for

---@class codecell.doctest.Step
---@field block codecell.Block
---@field line integer of its first line of code
---@field options table<string, string|true> skip, expect-error, session, hidden
---@field is_host boolean Lua that uses codecell itself
---@field why? string why it cannot run
---@field output? codecell.Block that says what it shows
---@field promised? {line: integer, text: string}[] the lines that its comments say it shows
---@field examples? {typed: string[], answered: string[], line: integer}[] typed at prompts

-- Where the line of a mark goes on, and what it says; nil: it has none.
local function promise(line, mark)
  local from = 1
  while true do
    local first, last = line:find(mark, from, true)
    if not first then
      return nil
    end
    local after = line:sub(last + 1, last + 1)
    if (first == 1 or line:sub(first - 1, first - 1):find("%s")) and (after == "" or after == " ")
    then
      return first, line:sub(last + 2)
    end
    from = last + 1
  end
end

local function promises(block)
  local mark, list, number = MARKS[block.language], {}, 0
  for line in (mark and block.code .. "\n" or ""):gmatch("([^\n]*)\n") do
    number = number + 1
    local column, text = promise(line, mark)
    if column then
      list[#list + 1] = { line = number, column = column + #mark, text = text }
    end
  end
  return list[1] and list
end

-- Options before a block: <!-- codecell: skip, session=one -->
local function options_before(gap)
  local text = gap:sub(-COMMENT_MOST):match("<!%-%-%s*codecell:([^>]*)%-%->%s*$")
  return text and select(2, info.parse("x " .. text)) or {}
end

-- Whether a comment is open at the end of a text, if it was at its beginning.
local function in_comment(gap, is_open)
  local at = 1
  while true do
    local _, last = gap:find(is_open and "-->" or "<!--", at, true)
    if not last then
      return is_open
    end
    is_open, at = not is_open, last + 1
  end
end

local function is_output(block)
  return block and (block.language == "output" or block.language == "text")
end

local function uses_codecell(block)
  return block.language == "lua"
    and block.code:find("%f[%w_]require%s*%(?%s*[\"']codecell[%w_.]*[\"']") ~= nil
end

-- Between a program and what it shows there may be blanks, marks of a quote, and comments.
local function follows(gap)
  return #gap <= COMMENT_MOST and not gap:gsub("<!%-%-.-%-%->", ""):find("[^%s>]")
end

local function step_of(block, gap)
  local options = options_before(gap)
  for name, value in pairs(block.attrs) do
    options[name] = value
  end
  local step = { block = block, line = block.first_line + 1, options = options,
    is_host = uses_codecell(block) }
  step.examples = block.raw and prompt.examples(block.raw, block.language, true)
  step.promised = not step.examples and promises(block) or nil
  if not step.is_host and not block.runnable then
    step.why = block.why
  end
  return step
end

--- The steps of a document, in order.
---@param text string
---@param can_run? fun(name: string): boolean, string? default: what this machine has
---@return codecell.doctest.Step[]
function document.steps(text, can_run)
  local steps, at, is_open, last = {}, 1, false, nil
  local how = { languages = can_run or interpret.can_run, quoted = "run" }
  for _, block in ipairs(blocks.scan(text, how)) do
    local gap = text:sub(at, block.first - 1)
    is_open = in_comment(gap, is_open)
    if last and is_output(block) and not last.examples and follows(gap) then
      last.output, last = block, nil
    elseif words.is_programming(block.language) then
      last = step_of(block, gap)
      if not is_open or last.options.hidden then -- else it is commented out
        steps[#steps + 1] = last
      end
    else
      last = nil
    end
    at = block.last + 1
  end
  return steps
end

return document
