--- Laying a tar stream out as a folder of this machine that sandboxes will see and nobody here
--- follows: names only lead down, through no link of the stream; links may say what they like.
local errors = require "codecell.errors"
local tar = require "codecell.template.tar"

local MEMBERS_MOST = 1000000
local DEPTH_MOST = 200 -- directories; removing it again holds one open for each
local NAMES_MOST = 64 * 1024 * 1024 -- bytes of the paths of directories, which are kept to the end

local layout = {}

local function no_room(most)
  return nil, errors.new("limit_exceeded",
    ("the files are more than %.0f bytes; raise limits.disk"):format(most))
end

local function is_too_deep(name)
  return select(2, name:gsub("/", "")) >= DEPTH_MOST
end

-- Everything that is made is counted, also what the stream only implies.
local function count_one(count, directory)
  count.members = count.members + 1
  count.names = count.names + #(directory or "")
  if count.members > MEMBERS_MOST then
    return nil, errors.new("limit_exceeded", ("more than %d files"):format(MEMBERS_MOST))
  elseif count.names > NAMES_MOST then
    return nil, errors.new("limit_exceeded",
      ("the paths of its directories are more than %d bytes"):format(NAMES_MOST))
  end
  return true
end

-- Streams of others may leave out the directories above a file.
local function make_way(root, made, name, count)
  for at in name:gmatch("()/") do
    local above = name:sub(1, at - 1)
    if not made[above] then
      local ok, err = count_one(count, above)
      if ok then
        ok, err = root:make_directory(above, 493) -- 0755
      end
      if not ok then
        return nil, err
      end
      made[above] = true
    end
  end
  return true
end

local function lay_file(root, reader, member, count)
  local file, err = root:make_file(member.name, 384) -- 0600
  if not file then
    return nil, err
  end
  local ok = true
  local piece
  repeat
    piece, err = reader:read()
    if piece then
      count.bytes = count.bytes + #piece
      if count.bytes > count.most then
        ok, err = no_room(count.most)
      else
        ok, err = file:write(piece)
      end
    end
  until not piece or not ok
  file:close()
  return ok and not err or nil, err
end

local function lay(root, reader, member, count)
  local name = member.name
  if member.type == "file" then
    local ok, err = lay_file(root, reader, member, count)
    if not ok then
      return nil, err
    end
    return root:describe(name, member.mode, member.modified)
  elseif member.type == "symlink" then
    local ok, err = root:make_link_as_is(name, member.target)
    if not ok then
      return nil, err
    end
    return root:describe(name, nil, member.modified)
  elseif member.type == "hardlink" then
    return root:make_hard_link(name, member.target)
  end
  return root:make_directory(name, 448) -- 0700, until what it holds is there
end

-- From below: a directory may be one that its owner may not write to, and changes with each entry.
local function describe_directories(root, directories)
  for i = #directories, 1, -1 do
    local member = directories[i]
    local ok, err = root:describe(member.name, member.mode, member.modified)
    if not ok then
      return nil, err
    end
  end
  return true
end

--- Lay out a stream. On failure part of it is there.
---@param root userdata the descriptor of an empty directory
---@param source fun(): string?, codecell.Error? the next piece of the stream
---@param most number bytes of all files
---@return {files: integer, size: number, entries: integer}? laid entries: with its directories
---@return codecell.Error? err kinds "invalid_argument", "limit_exceeded", "no_space", ...
function layout.unpack(root, source, most)
  local reader = tar.reader(source)
  local count = { bytes = 0, files = 0, members = 0, names = 0, most = most }
  local directories, made = {}, { [""] = true }
  while true do
    local member, err = reader:next_member()
    if not member and err then
      return nil, err
    elseif not member then
      break
    end
    local ok
    ok, err = count_one(count, member.type == "dir" and member.name)
    if not ok then
      return nil, err
    elseif is_too_deep(member.name) then
      return nil, errors.new("limit_exceeded",
        ("%s...: nested deeper than %d directories"):format(member.name:sub(1, 40), DEPTH_MOST))
    elseif member.name ~= "" then
      ok, err = make_way(root, made, member.name, count)
      if ok then
        ok, err = lay(root, reader, member, count)
      end
      if not ok then
        err.message = ("%s: %s"):format(member.name:gsub("%c", "?"), err.message)
        return nil, err
      end
    end
    if member.type == "dir" and member.name ~= "" then
      directories[#directories + 1], made[member.name] = member, true
    else
      count.files = count.files + (member.type == "dir" and 0 or 1)
    end
  end
  local ok, err = describe_directories(root, directories)
  return ok and { files = count.files, size = count.bytes, entries = count.members }, err
end

return layout
