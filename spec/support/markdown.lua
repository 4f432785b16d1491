-- markdown.lua -- the code of a page.

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

return markdown
