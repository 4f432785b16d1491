--- What a model is told of an execution: text within one budget for all parts, and the pictures
--- that it may see.
local compare = require "codecell.agent.format.difference"
local header = require "codecell.agent.media.header"
local markdown = require "codecell.agent.format.markdown"
local parts = require "codecell.agent.format.parts"

local report = {}

local CHARS = 10000
local TRIES = 12 -- to meet a number of tokens
local LEAST = 200 -- characters below which nothing is said any more
local SIDE_MOST = 8000 -- pixels; more than that no provider takes
local SHRUNK_MOST = 4096 -- pixels of one that is made smaller
local PICTURE_MOST = 3932160 -- bytes; as base64 5 MiB, which is what providers take

---@class codecell.ReportOptions
---@field budget {chars: integer?, tokens: integer?, images: integer?, image_px: integer?}?
---@field count (fun(text: string): number)? tokens of a text
---@field vision boolean? whether the reader sees pictures (true)
---@field keep (fun(text: string): string)? keeps what is cut, and gives the id to read it by
---@field shrink (fun(picture: codecell.Picture, side: integer): codecell.Picture?)?
---@field previous (codecell.Execution|codecell.CommandResult)? the run to compare with

---@class codecell.Report
---@field text string
---@field parts codecell.format.Part[] as they stand in the text
---@field pictures codecell.Picture[] that are shown, with `text`
---@field outputs {id: string, bytes: integer}[] what was cut

local function quarter(text)
  return #text / 4
end

local TAKEN = { png = true, jpeg = true }

local function longer_side(picture)
  return math.max(picture.width or 0, picture.height or 0)
end

-- The picture as it is shown, or nil and why not.
local function shown(picture, budget, opts)
  if not TAKEN[picture.format] then
    return nil, "only PNG and JPEG are"
  elseif not header.is_whole(picture.format, picture.data) then
    return nil, "it is broken"
  end
  local most = math.min(budget.image_px or SIDE_MOST, SIDE_MOST)
  if longer_side(picture) > most then
    picture = opts.shrink and opts.shrink(picture, math.min(most, SHRUNK_MOST))
    if not picture then
      return nil, ("more than %d pixels wide or high"):format(most)
    end
  end
  if #picture.data > PICTURE_MOST then
    return nil, "too large"
  end
  return picture
end

local function choose_pictures(list, budget, opts)
  local chosen, most = {}, opts.vision ~= false and (budget.images or math.huge) or 0
  for _, part in ipairs(list) do
    if part.kind == "picture" and opts.vision ~= false then
      local picture, why
      if #chosen < most then
        picture, why = shown(part.picture, budget, opts)
      else
        why = ("more than %d"):format(most)
      end
      part.hidden, part.picture = why, picture or part.picture
      chosen[#chosen + 1] = picture
    end
  end
  return chosen
end

--- A text within a budget of characters, of tokens, or of both.
---@param budget {chars: integer?, tokens: integer?}
---@param count (fun(text: string): number)? tokens of a text
---@param make fun(chars: integer): string?, any gives it within so many characters
---@return string?
---@return any more of what `make` gives
function report.fit(budget, count, make)
  local chars = budget.chars or budget.tokens and budget.tokens * 4 or CHARS
  local text, more = make(chars)
  for _ = 1, text and budget.tokens and TRIES or 0 do
    local tokens = (count or quarter)(text)
    if tokens <= budget.tokens or chars <= LEAST then
      break
    end
    chars = math.max(math.floor(math.min(chars, #text) * budget.tokens / tokens * 0.95), LEAST)
    text, more = make(chars)
  end
  return text, more
end

-- Lay out within so many characters; `texts` are what the parts say in full.
local function lay_out(list, texts, chars, opts)
  for i, part in ipairs(list) do
    part.text, part.note, part.is_cut = texts[i], nil, nil
  end
  parts.fit(list, { style = "markdown", budget = chars, keep = opts.keep })
  return markdown.lay_out(list, {})
end

local function fit(list, budget, opts)
  local texts = {}
  for i, part in ipairs(list) do
    texts[i] = part.text or ""
  end
  return (report.fit(budget, opts.count, function(chars)
    return lay_out(list, texts, chars, opts)
  end))
end

--- Report on an execution or a command.
---@param execution codecell.Execution|codecell.CommandResult
---@param opts codecell.ReportOptions
---@return codecell.Report
function report.of(execution, opts)
  local budget, style = opts.budget or {}, { style = "markdown", vision = opts.vision }
  local list = parts.of(execution, style)
  if opts.previous then
    compare(list, parts.of(opts.previous, style))
  end
  list = parts.bound(list)
  local pictures = choose_pictures(list, budget, opts)
  local text = fit(list, budget, opts)
  local outputs = {}
  for _, part in ipairs(list) do
    if part.is_cut and part.id then
      outputs[#outputs + 1] = { id = part.id, bytes = #(part.raw or part.full) }
    end
  end
  return { text = text, parts = list, pictures = pictures, outputs = outputs }
end

return report
