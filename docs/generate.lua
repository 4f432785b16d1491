--- Make docs/reference.md of the annotations: lua docs/generate.lua > docs/reference.md
---
--- Run it in the top folder. What is public is the list of chapters in docs/chapters.lua. Of their
--- files every documented function without an underscore is shown, and every class with its fields.
local chapters = dofile("docs/chapters.lua")

local closing = { ["("] = ")", ["{"] = "}", ["<"] = ">", ["["] = "]" }

-- A type ends at the first blank that is not inside brackets or quotes, nor beside a "|".
local function split_type(text)
  local depth, quote, i = 0, nil, 1
  while i <= #text do
    local char = text:sub(i, i)
    if quote then
      quote = char ~= quote and quote or nil
    elseif char == '"' or char == "'" then
      quote = char
    elseif closing[char] then
      depth = depth + 1
    elseif char:find("[%)}%]]") or char == ">" and text:sub(i - 1, i - 1) ~= "-" then
      depth = depth - 1
    elseif char:find("%s") and depth == 0 and not text:sub(1, i - 1):find("[|,:]%s*$")
        and not text:find("^%s*|", i) then
      break
    end
    i = i + 1
  end
  return text:sub(1, i - 1), (text:sub(i):gsub("^%s*#?%s*", ""))
end

local lists = { param = "params", ["return"] = "returns", field = "fields" }

local function read_tag(block, tag, rest)
  block.last = nil
  if lists[tag] then
    local item = {}
    if tag ~= "return" then
      item.name, rest = rest:match("^(%S+)%s+(.*)$")
    end
    item.type, item.text = split_type(rest)
    block.last = item
    if item.name ~= "private" and item.name ~= "package" then
      local list = block[lists[tag]]
      list[#list + 1] = item
    end
  elseif tag == "class" then
    block.class = rest:gsub("^%(%w+%)%s*", ""):match("^[%w_.]+")
  elseif tag == "alias" then
    local name, more = rest:match("^(%S+)%s*(.*)$")
    block.alias, block.alias_type = name, more
  else
    block[tag] = rest == "" and true or rest
  end
end

local function new_block()
  return { text = {}, params = {}, returns = {}, fields = {} }
end

--- The documented things of one file, in order.
local function read(path)
  local entries, block, first = {}, nil, true
  local function finish(line)
    local name, arguments = line:match("^function ([%w_.:]+)%s*(%b())")
    if not name then
      name, arguments = line:match("^([%w_.]+) = function%s*(%b())")
    end
    if name or block and (block.class or block.alias or first) then
      local entry = block or new_block()
      entry.name, entry.arguments, entry.path = name, arguments, path
      entry.module = first and not name and not entry.class and not entry.alias
      entries[#entries + 1] = entry
    end
    block, first = nil, false
  end
  for line in io.lines(path) do
    local comment = line:match("^%-%-%-(.*)$")
    if comment then
      block = block or new_block()
      local tag, rest = comment:match("^%s*@(%a+)%s*(.*)$")
      if tag then
        read_tag(block, tag, rest)
      elseif comment:find("^%s*|") then
        local value, text = split_type(comment:match("^%s*|%s*(.-)%s*$"))
        block.fields[#block.fields + 1] = { name = value, text = text }
      elseif block.last then -- a tag that goes on
        block.last.text = block.last.text .. " " .. comment:match("^%s*(.-)%s*$")
      else
        block.text[#block.text + 1] = comment:match("^%s?(.-)%s*$")
      end
    else
      finish(line)
    end
  end
  return entries
end

local function cell(text)
  return (text:gsub("|", "\\|"))
end

local function prose(entry)
  return (table.concat(entry.text, "\n"):gsub("^%s+", ""):gsub("%s+$", ""))
end

-- What a user writes: the chapter tells the names of the tables and classes that are public.
local function signature(entry, chapter)
  local owner, mark, verb = entry.name:match("^([%w_]+)([.:])([%a][%w_]*)$")
  local receiver = owner and chapter.receivers[owner]
  if receiver and (not chapter.only or chapter.only[verb])
      and not (chapter.except and chapter.except[verb]) then
    return receiver .. mark .. verb .. entry.arguments
  end
end

local function write_function(out, entry, call)
  out("### `" .. call .. "`\n\n" .. prose(entry) .. "\n")
  for _, param in ipairs(entry.params) do
    local text = param.text ~= "" and ": " .. param.text or ""
    out(("- `%s` (`%s`)%s"):format(param.name, param.type, text))
  end
  for _, value in ipairs(entry.returns) do
    out(("- returns `%s`%s"):format(value.type, value.text ~= "" and " " .. value.text or ""))
  end
  out(#entry.params + #entry.returns > 0 and "" or nil)
end

local function write_class(out, entry)
  local text = prose(entry)
  if text == "" and #entry.fields == 0 then
    return
  end
  out("### " .. entry.class .. "\n")
  out(text ~= "" and text .. "\n" or nil)
  if #entry.fields > 0 then
    out("| field | type | |\n| --- | --- | --- |")
    for _, field in ipairs(entry.fields) do
      out(("| `%s` | `%s` | %s |"):format(field.name, cell(field.type), cell(field.text)))
    end
    out("")
  end
end

local function write_alias(out, entry)
  out("### " .. entry.alias .. "\n\n" .. prose(entry))
  if #entry.fields == 0 then
    out("One of: `" .. entry.alias_type:gsub("%s*|%s*", "`, `") .. "`")
  end
  for _, value in ipairs(entry.fields) do
    out(("- `%s`%s"):format(value.name, value.text ~= "" and ": " .. value.text or ""))
  end
  out("")
end

local function write_entry(out, entry, chapter)
  if entry.class then
    write_class(out, entry)
  elseif entry.alias then
    write_alias(out, entry)
  elseif entry.module then
    out(not chapter.text and prose(entry) .. "\n" or nil)
  elseif signature(entry, chapter) then
    write_function(out, entry, signature(entry, chapter))
  end
end

local function write_chapter(out, chapter)
  out("## " .. chapter.title .. "\n")
  out(chapter.text and chapter.text .. "\n" or nil)
  for _, path in ipairs(chapter.files) do
    for _, entry in ipairs(read(path)) do
      write_entry(out, entry, chapter)
    end
  end
end

local function anchor(title)
  return (title:lower():gsub("[^%w%s-]", ""):gsub("%s", "-"))
end

local function generate()
  local lines = {}
  local function out(line)
    lines[#lines + 1] = line
  end
  out("# Reference\n")
  out("<!-- Made by `make docs` of the annotations in lua/codecell/. Change them, not this. -->\n")
  out(chapters.introduction .. "\n")
  for _, chapter in ipairs(chapters) do
    out(("- [%s](#%s)"):format(chapter.title, anchor(chapter.title)))
  end
  out("")
  for _, chapter in ipairs(chapters) do
    write_chapter(out, chapter)
  end
  return table.concat(lines, "\n"):gsub("\n\n\n+", "\n\n"):gsub("\n+$", "") .. "\n"
end

if arg and arg[0] and arg[0]:find("generate%.lua$") then
  io.write(generate())
end
return { generate = generate, read = read, signature = signature, chapters = chapters }
