-- codecell.lua -- a filter of Pandoc: code blocks of the class `run` are run in a sandbox, and what
-- they show stands below them: text, pictures, tables.
--
--   pandoc -L examples/pandoc/codecell.lua -o page.html examples/pandoc/page.md
--
--     ```{.python .run}              ```{.python .run echo=false}
--     print(6 * 7)                   print("only the output is shown")
--     ```                            ```
--
-- All of them run in order, in one sandbox without a network; each language keeps its variables.
-- CODECELL names the command where it is not on the PATH; CODECELL_OPTIONS are further options for
-- it ("--network api.example.com --timeout 60"). They are no part of the document: what it may
-- reach is for the reader to say.
--
-- Pandoc has a Lua of its own, which need not be able to load the library. The command keeps what
-- was run as a notebook, and Pandoc reads notebooks.
-- luacheck: read globals pandoc
local COMMAND = os.getenv("CODECELL") or "codecell"

local function arguments(...)
  local list = { "interpret" }
  for word in (os.getenv("CODECELL_OPTIONS") or ""):gmatch("%S+") do
    list[#list + 1] = word
  end
  for _, word in ipairs({ ... }) do
    list[#list + 1] = word
  end
  return list
end

-- What runs: the class beside `run`.
local function language_of(block)
  local runs, language = false, nil
  for _, class in ipairs(block.classes) do
    if class == "run" then
      runs = true
    else
      language = language or class
    end
  end
  return runs and language
end

-- The blocks to run, as an answer of Markdown.
local function gather(document)
  local parts = {}
  document:walk({ CodeBlock = function(block)
    local language = language_of(block)
    if language then
      local longest = 2
      for run in block.text:gmatch("`+") do
        longest = math.max(longest, #run)
      end
      local fence = ("`"):rep(longest + 1)
      parts[#parts + 1] = ("%s%s\n%s\n%s\n"):format(fence, language, block.text, fence)
    end
  end })
  return table.concat(parts, "\n")
end

-- Which of them can run, by their numbers; and whether any can.
local function runnable(answer)
  local list, any = {}, false
  for line in pandoc.pipe(COMMAND, arguments("--list", "-"), answer):gmatch("[^\n]+") do
    list[#list + 1] = line:find(": runs$") ~= nil
    any = any or list[#list]
  end
  return list, any
end

-- What was run, as a document of one Div a cell. The status says that some code failed: the
-- document then shows how.
local function run(answer)
  return pandoc.system.with_temporary_directory("codecell", function(folder)
    local path = folder .. "/cells.ipynb"
    local ok, problem = pcall(pandoc.pipe, COMMAND,
      arguments("--keep-going", "--json", "--export", path, "-"), answer)
    local file = io.open(path, "rb")
    if not file then
      error("codecell could not run the code: " .. (ok and "nothing was kept" or tostring(problem)))
    end
    local text = file:read("*a")
    file:close()
    return pandoc.read(text, "ipynb")
  end)
end

-- A picture that came with the notebook. The code may name any other: a file of the reader's, which
-- Pandoc would put into the page, or an address.
local function is_kept(image)
  return pandoc.mediabag.lookup(image.src) ~= nil
end

local function nothing()
  return {}
end

-- The tables in HTML; anything else in it is left out: it is whatever the code has written.
local function tables_of(html)
  local list = {}
  pandoc.read(html, "html"):walk({ Table = function(found)
    list[#list + 1] = found:walk({ Image = nothing, RawBlock = nothing, RawInline = nothing,
      Link = function(link) return link.content end })
  end })
  return list
end

-- The best of the formats that a result has.
local function best_of(output)
  local picture, tables, text
  for _, block in ipairs(output.content) do
    local image = block.t == "Para" and block.content[1]
    if image and image.t == "Image" then
      picture = picture or is_kept(image) and pandoc.Para({ image }) or nil
    elseif block.t == "RawBlock" and block.format == "html" then
      tables = tables or tables_of(block.text)
    elseif block.t == "CodeBlock" and #block.classes == 0 then
      text = text or block
    end
  end
  return picture and { picture } or tables and tables[1] and tables or { text }
end

local function is_output(block)
  return block.t == "Div" and block.classes:includes("output")
end

-- What a cell showed, without its code.
local function shown(cell)
  local blocks, is_code = {}, true
  for _, block in ipairs(cell.content) do
    if is_output(block) then
      local inner = block.classes:includes("stream") or block.classes:includes("error")
      for _, one in ipairs(inner and block.content or best_of(block)) do
        blocks[#blocks + 1] = one
      end
    elseif block.t == "CodeBlock" and is_code then
      is_code = false
    elseif block.t ~= "RawBlock" then -- of a language that notebooks have no cells for
      blocks[#blocks + 1] = block
    end
  end
  return blocks
end

function Pandoc(document) -- luacheck: ignore
  local answer = gather(document)
  if answer == "" then
    return nil
  end
  local runs, any = runnable(answer)
  local cells = {}
  for _, block in ipairs(any and run(answer).blocks or {}) do
    if block.t == "Div" and block.identifier:find("^cell%-%d+$") then
      cells[#cells + 1] = block
    end
  end
  local number, at = 0, 0
  return document:walk({ CodeBlock = function(block)
    if not language_of(block) then
      return nil
    end
    number = number + 1
    local blocks = {}
    if block.attributes.echo ~= "false" then
      local echoed = block:clone()
      echoed.classes = echoed.classes:filter(function(class) return class ~= "run" end)
      blocks[1] = echoed
    end
    if runs[number] then
      at = at + 1
      blocks[#blocks + 1] = pandoc.Div(cells[at] and shown(cells[at]) or {}, { class = "output" })
    end
    return blocks
  end })
end
