-- Cells as real kernels answered them, each session in a sandbox of its own.
local cells = require "spec.support.cells"
local codecell = require "codecell"

local function categories_of(sessions)
  local list, by_name = {}, {}
  for _, session in ipairs(sessions) do
    local category = by_name[session.category]
    if not category then
      category = { name = session.category }
      by_name[session.category] = category
      list[#list + 1] = category
    end
    category[#category + 1] = session
  end
  return list
end

for _, language in ipairs({ "python", "javascript", "typescript", "bash", "lua" }) do
  describe("recorded cells of " .. language .. " #once", function()
    local sessions = cells.sessions(language)
    local outcomes

    for _, category in ipairs(categories_of(sessions)) do
      it(("%s (%d)"):format(category.name, #category), function()
        local program, err = codecell.languages.program(language)
        if not program then
          pending(tostring(err))
        end
        outcomes = outcomes or cells.play_all(sessions)
        local failed, skipped = {}, nil
        for _, session in ipairs(category) do
          local outcome = outcomes[session.id]
          if outcome.missing then
            skipped = ("%s needs the package %s"):format(session.id, outcome.missing)
          else
            failed[#failed + 1] = outcome.difference
          end
        end
        if #failed > 0 then
          error(("%d of %d sessions\n%s"):format(#failed, #category,
            table.concat(failed, "\n\n")), 0)
        elseif skipped then
          pending(skipped)
        end
      end)
    end
  end)
end
