--- The tool `files`: reading and changing the files of the sandbox.
local cut = require "codecell.agent.format.cut"
local errors = require "codecell.errors"
local json = require "codecell.json"
local markdown = require "codecell.agent.format.markdown"
local masked = require "codecell.files.masked"
local media = require "codecell.agent.media"
local parts = require "codecell.agent.format.parts"
local result = require "codecell.tools.result"
local terminal = require "codecell.agent.terminal"

local files = {}

local READ_MOST = 8388608 -- bytes of a file that are looked at
local ENTRIES_MOST = 200

local PATH = "below /home/user if it does not begin with /"

--- The definition.
---@return codecell.ToolDefinition
function files.define()
  return { title = "Files",
    description = "Read, write, edit, list, make_dir, move or delete files of the sandbox. edit "
      .. "replaces old_text, which must stand there exactly once, by new_text. Of a long file "
      .. "read with offset, in bytes, what is wanted.",
    fields = {
      { name = "op", type = "string", is_required = true, description = "what to do",
        enum = { "read", "write", "edit", "list", "make_dir", "move", "delete" } },
      { name = "path", type = "string", is_required = true, description = PATH },
      { name = "content", type = "string", is_data = true,
        description = "of write: all that the file is to hold" },
      { name = "old_text", type = "string", is_data = true, description = "of edit" },
      { name = "new_text", type = "string", is_data = true, description = "of edit" },
      { name = "to", type = "string", description = "of move: the new path" },
      { name = "offset", type = "integer", description = "of read: bytes to pass over" },
    },
    output = result.schema({ path = { type = "string" }, text = { type = "string" },
      size = { type = "integer" }, next_offset = { type = "integer" },
      pictures = { type = "integer" },
      entries = { type = "array", items = { type = "object", properties = {
        name = { type = "string" }, type = { type = "string" }, size = { type = "integer" } },
        required = json.list({ "name", "type" }) } } }) }
end

local function invalid(message, hint)
  return nil, errors.new("invalid_argument", "files: " .. message, hint)
end

local function told(text, structured)
  return result.of_text("files", text, structured)
end

local ops = {}

local function picture_of(data)
  for format, size in pairs({ png = media.png_size(data), jpeg = media.jpeg_size(data) }) do
    if size then
      return media.picture({ [format] = data })
    end
  end
end

-- What is shown of a file, and where the rest begins.
local function show(kit, data, offset, more)
  if parts.is_binary(data) then
    return parts.binary(data)
  end
  local piece = kit:_fit(function(chars)
    return (cut.piece(data, 0, chars))
  end)
  return terminal.visible(piece), (more or #piece < #data) and offset + #piece or nil
end

function ops.read(kit, sandbox, given)
  local offset = given.offset or 0
  local info, err = sandbox.files:get_info(given.path)
  if not info then
    return nil, err
  end
  local data, more = masked(sandbox, given.path, offset, READ_MOST)
  if not data then
    return nil, more
  end
  local picture = offset == 0 and picture_of(data)
  if picture then
    return result.of_report("files", kit:_report({ results = { { [picture.format] = data } } }),
      nil, { path = given.path, size = info.size })
  end
  local shown, next_offset = show(kit, data, offset, more)
  local text = markdown.lay_out({ { kind = "output", title = "File", text = shown } }, {})
  if next_offset then
    text = ("%s[the file has %d bytes; go on with offset=%d]\n"):format(text, info.size,
      next_offset)
  end
  return told(text, { path = given.path, text = shown, size = info.size,
    next_offset = next_offset })
end

function ops.write(_, sandbox, given)
  if not given.content then
    return invalid("write needs content", "give content; it may be empty")
  end
  local entry, err = sandbox.files:write(given.path, given.content)
  if not entry then
    return nil, err
  end
  return told(("%s was written, %d bytes.\n"):format(entry.path, #given.content),
    { path = entry.path, size = #given.content })
end

local function find_once(data, wanted)
  local first, last = data:find(wanted, 1, true)
  if not first then
    return invalid("old_text does not stand in the file",
      "read the file; spaces and line ends count")
  elseif data:find(wanted, first + 1, true) then
    return invalid("old_text stands in the file more than once",
      "give more of what is around it, so that it is one place")
  end
  return first, last
end

function ops.edit(_, sandbox, given)
  if not given.old_text or given.old_text == "" or not given.new_text then
    return invalid("edit needs old_text and new_text", "give both; new_text may be empty")
  end
  local info, err = sandbox.files:get_info(given.path)
  if not info then
    return nil, err
  elseif info.size > READ_MOST then
    return invalid(("the file has %d bytes, edit takes %d"):format(info.size, READ_MOST),
      "edit it by code")
  end
  local data
  data, err = sandbox.files:read(given.path)
  if not data then
    return nil, err
  end
  local first, last = find_once(data, given.old_text)
  if not first then
    return nil, last
  end
  data = data:sub(1, first - 1) .. given.new_text .. data:sub(last + 1)
  local entry
  entry, err = sandbox.files:write(given.path, data)
  if not entry then
    return nil, err
  end
  return told(("%s was edited, it has %d bytes now.\n"):format(entry.path, #data),
    { path = entry.path, size = #data })
end

function ops.list(kit, sandbox, given)
  local found, err = sandbox.files:list(given.path)
  if not found then
    return nil, err
  end
  local lines, entries = {}, json.list({})
  for i, one in ipairs(found) do
    if i > ENTRIES_MOST then
      lines[i] = ("[%d more]"):format(#found - ENTRIES_MOST)
      break
    end
    entries[i] = { name = json.repair(one.name), type = one.type, size = one.size }
    lines[i] = one.type == "dir" and one.name .. "/" or ("%s  %d bytes"):format(one.name, one.size)
  end
  local report = kit:_report({ stdout = table.concat(lines, "\n") })
  return told(#found == 0 and "The directory is empty.\n" or report.text,
    { path = given.path, entries = entries })
end

function ops.make_dir(_, sandbox, given)
  local made, err = sandbox.files:make_dir(given.path)
  if made == nil then
    return nil, err
  end
  return told(("%s %s.\n"):format(given.path, made and "was made" or "was there already"),
    { path = given.path })
end

function ops.move(_, sandbox, given)
  if not given.to then
    return invalid("move needs to", "give the new path in to")
  end
  local entry, err = sandbox.files:rename(given.path, given.to)
  if not entry then
    return nil, err
  end
  return told(("%s is %s now.\n"):format(given.path, entry.path), { path = entry.path })
end

function ops.delete(_, sandbox, given)
  local done, err = sandbox.files:remove(given.path)
  if not done then
    return nil, err
  end
  return told(("%s was deleted.\n"):format(given.path), { path = given.path })
end

-- What the policy is asked: each verb with the paths that it touches.
local function requests(given)
  local paths = given.op == "move" and { given.path, given.to or given.path } or { given.path }
  local is_deep = given.op == "delete" or given.op == "move" or nil
  if given.op == "read" or given.op == "list" then
    return { { verb = "read", path = paths } }
  elseif given.op == "edit" then
    return { { verb = "read", path = paths }, { verb = "write", path = paths } }
  end
  return { { verb = "write", path = paths, is_deep = is_deep } }
end

--- Do it.
---@param kit codecell.Kit
---@param given table checked arguments
---@return codecell.ToolResult
function files.call(kit, given)
  for _, request in ipairs(requests(given)) do
    local allowed, err = kit:_permit("files", request)
    if not allowed then
      return result.of_error("files", err)
    end
  end
  local done, err = kit.place:with(function(sandbox)
    return ops[given.op](kit, sandbox, given)
  end)
  if not done and err.kind == "system" then -- what a path cannot be used for
    err = errors.new("invalid_argument", err.message, "take another path")
  end
  return done or result.of_error("files", err)
end

return files
