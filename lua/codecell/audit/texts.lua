--- What stands in a record: values that JSON can say, without secrets, with long and private texts
--- known by their digests alone.
local base64 = require "codecell.base64"
local chain = require "codecell.audit.chain"
local core = require "codecell.core"
local json = require "codecell.json"

local texts = {}

local MOST = 1024 * 1024 -- bytes of a text that is kept
local DEEP, WIDE = 32, 100000 -- of what others tell
local CHUNK = 262144

local function by_digest(text)
  return { sha256 = chain.digest(text), size = #text }
end

--- A text as it stands in a record.
---@param text string
---@param is_kept boolean
---@param mask userdata? of secrets
---@return string|table
function texts.pack(text, is_kept, mask)
  text = mask and mask:hide(text) or text
  if not is_kept or #text > MOST then
    return by_digest(text)
  elseif json.repair(text) ~= text then
    return { base64 = base64.encode(text) }
  end
  return text
end

--- The content of an open file, as a text; it is left at its beginning.
---@param file userdata
---@param is_kept boolean
---@param mask userdata?
---@return string|table
function texts.of_file(file, is_kept, mask)
  local size = file:size()
  local digest, pieces, read = core.digest("sha256"), {}, 0
  file:seek(0)
  local piece = file:read(CHUNK)
  while piece do
    digest:update(piece)
    read = read + #piece
    if is_kept and size and size <= MOST then
      pieces[#pieces + 1] = piece
    end
    piece = file:read(CHUNK)
  end
  file:seek(0)
  if #pieces > 0 then
    return texts.pack(table.concat(pieces), true, mask)
  end
  return { sha256 = digest:finish(), size = read }
end

--- What a text in a record says.
---@param value any
---@return string? text nil: it was not kept
---@return table? digest `sha256 size` of one that was not kept
function texts.unpack(value)
  if type(value) == "string" then
    return value
  elseif type(value) == "table" and type(value.base64) == "string" then
    return base64.decode(value.base64)
  elseif type(value) == "table" and type(value.sha256) == "string" then
    return nil, value
  end
  return nil
end

local copy

local function copy_table(value, mask, depth, left)
  local is_list = json.is_list(value)
  local made = is_list and json.list() or {}
  for key, item in pairs(value) do
    left.count = left.count - 1
    local name = is_list and key or mask and mask:hide(tostring(key)) or tostring(key)
    if left.count < 0 then
      break
    elseif not is_list or type(key) == "number" then
      made[name] = copy(item, mask, depth + 1, left)
    end
  end
  return made
end

function copy(value, mask, depth, left)
  local kind = type(value)
  if kind == "string" then
    return texts.pack(value, true, mask)
  elseif kind == "table" and value ~= json.null then
    return depth < DEEP and copy_table(value, mask, depth, left) or "..."
  elseif kind == "number" or kind == "boolean" or kind == "nil" or value == json.null then
    return value
  end
  return kind
end

--- A copy of any value for a record: what JSON cannot say is named by its type.
---@param value any
---@param mask userdata?
---@return any
function texts.copy(value, mask)
  return copy(value, mask, 1, { count = WIDE })
end

return texts
