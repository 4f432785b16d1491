--- Whether a text is what a pattern says: "*" is any text and "?" any character. The time is
--- bounded whatever the text is, which others have written.

-- Where it does not go on, the last "*" takes one character more.
---@param pattern string
---@param text string
---@return boolean
local function matches_text(pattern, text)
  local at, place, star, mark = 1, 1, nil, nil
  while place <= #text do
    local wanted = pattern:sub(at, at)
    if wanted == "*" then
      star, mark, at = at, place, at + 1
    elseif wanted == "?" or wanted == text:sub(place, place) then
      at, place = at + 1, place + 1
    elseif star then
      mark, at = mark + 1, star + 1
      place = mark
    else
      return false
    end
  end
  return pattern:find("^%**$", at) ~= nil
end

return matches_text
