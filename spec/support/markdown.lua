-- markdown.lua -- the code of a page, and what the page says that it prints.

local markdown = {}

-- Fenced blocks as CommonMark has them, so that what renders wrongly fails here.
function markdown.fenced(text, language)
  local blocks, open, lines, number = {}, nil, nil, 0
  for line in (text .. "\n"):gmatch "(.-)\n" do
    number = number + 1
    if open then
      local close = line:match "^(```+)%s*$"
      if close and #close >= #open.ticks then
        open.code = table.concat(lines, "\n") .. "\n"
        if open.language == language then
          blocks[#blocks + 1] = open
        end
        open = nil
      else
        lines[#lines + 1] = line
      end
    else
      local ticks, info = line:match "^(```+)%s*(%w*)%s*$"
      if ticks then
        open, lines = { ticks = ticks, language = info, line = number + 1 }, {}
      end
    end
  end
  assert(open == nil, "a fence is left open")
  return blocks
end

-- What a block says that it prints: the text after each "-->".
function markdown.promised(code)
  local lines = {}
  for text in code:gmatch "%-%-> ([^\n]*)" do
    lines[#lines + 1] = text
  end
  return table.concat(lines, "\n")
end

return markdown
