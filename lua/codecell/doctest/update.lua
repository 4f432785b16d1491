--- What was shown, written into the document.
local markdown = require "codecell.export.markdown"

local update = {}

-- What stands before the lines of a block: of a quote its marks, of a list blanks.
local function margin_before(text, first)
  local from = first
  while from > 1 and text:byte(from - 1) ~= 10 do
    from = from - 1
  end
  return (text:sub(from, first - 1):gsub("[^>%s]", " "))
end

local function replaced(text, block, code)
  local margin = margin_before(text, block.first)
  local fenced = markdown.fenced(block.info, code)
  local is_last = text:sub(block.last, block.last) ~= "\n" -- it ends the document without one
  fenced = fenced:gsub("\n", "\n" .. margin):sub(1, -1 - #margin)
  return { first = block.first, last = block.last,
    text = is_last and fenced:sub(1, -2) or fenced }
end

local function lines_of(text)
  local lines = {}
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do
    lines[#lines + 1] = line
  end
  return lines
end

--- The edit that lets a block of output say what was shown.
---@param text string the document
---@param block codecell.Block
---@param got string
---@return table edit
function update.output(text, block, got)
  return replaced(text, block, got)
end

--- The edit of the comments of a program; nil: there are not as many as lines were shown.
---@param text string
---@param step codecell.doctest.Step
---@param got string
---@return table? edit
function update.comments(text, step, got)
  local lines, shown = lines_of(step.block.code), got == "" and {} or lines_of(got)
  if #shown ~= #step.promised then
    return nil
  end
  for i, one in ipairs(step.promised) do
    local head = lines[one.line]:sub(1, one.column - 1)
    lines[one.line] = shown[i] == "" and head or head .. " " .. shown[i]
  end
  return replaced(text, step.block, table.concat(lines, "\n"))
end

--- Whether a text can stand behind a prompt: no line of it would be read as one.
---@param got string
---@return boolean
function update.is_answer(got)
  for line in got:gmatch("[^\n]+") do
    if line:find("^%s*>>>") or line:find("^%s*%.%.%.") or line:find("^In %[")
      or line:find("^%s*%$ ") then
      return false
    end
  end
  return true
end

--- The edit of the answers in a session of prompts.
---@param text string
---@param step codecell.doctest.Step
---@param answers table<integer, string> what was shown, by the examples whose answers change
---@return table edit
function update.examples(text, step, answers)
  local lines, out = lines_of(step.block.raw), {}
  for i = 1, step.examples[1].line - 1 do
    out[i] = lines[i]
  end
  for i, example in ipairs(step.examples) do
    for k = 0, #example.typed - 1 do
      out[#out + 1] = lines[example.line + k]
    end
    local kept = example.answered
    if answers[i] then
      kept = answers[i] == "" and {} or lines_of(answers[i])
      for k, line in ipairs(kept) do
        kept[k] = line == "" and step.block.language == "python" and "<BLANKLINE>" or line
      end
      for k = #example.answered, 1, -1 do -- the blank lines that part examples
        if example.answered[k]:find("%S") then
          break
        end
        kept[#kept + 1] = ""
      end
    end
    for _, line in ipairs(kept) do
      out[#out + 1] = line
    end
  end
  return replaced(text, step.block, table.concat(out, "\n"))
end

--- The document with all edits.
---@param text string
---@param edits table[] in the order of the document
---@return string
function update.apply(text, edits)
  table.sort(edits, function(left, right) return left.first < right.first end)
  local parts, at = {}, 1
  for _, edit in ipairs(edits) do
    parts[#parts + 1] = text:sub(at, edit.first - 1)
    parts[#parts + 1] = edit.text
    at = edit.last + 1
  end
  parts[#parts + 1] = text:sub(at)
  return table.concat(parts)
end

return update
