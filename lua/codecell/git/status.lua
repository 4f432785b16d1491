--- What `git status --porcelain=1 -b -z` says.
local status = {}

local WORDS = { M = "modified", A = "added", D = "deleted", R = "renamed", C = "copied",
  T = "typechange", U = "conflict", ["?"] = "untracked", ["!"] = "ignored" }
local CONFLICTS = { DD = true, AU = true, UD = true, UA = true, DU = true, AA = true, UU = true }

---@class codecell.GitFile
---@field name string
---@field status string "modified added deleted renamed copied typechange conflict untracked"
---@field index_status string letter of what is to be committed, " " for nothing
---@field working_tree_status string letter of what is not
---@field staged boolean
---@field renamed_from string?

---@class codecell.GitStatus
---@field current_branch string? nil: none, or detached
---@field upstream string?
---@field ahead integer
---@field behind integer
---@field detached boolean
---@field file_status codecell.GitFile[]
---@field is_clean boolean

local function read_branch(found, line)
  local rest = line:gsub("^No commits yet on ", ""):gsub("^Initial commit on ", "")
  local counts = rest:match(" %[(.-)%]$") or ""
  rest = rest:gsub(" %[.-%]$", "")
  found.ahead = tonumber(counts:match("ahead (%d+)")) or 0
  found.behind = tonumber(counts:match("behind (%d+)")) or 0
  if rest:find("^HEAD %(no branch%)") then
    found.detached = true
    return
  end
  local branch, upstream = rest:match("^(.-)%.%.%.(.+)$")
  found.current_branch, found.upstream = branch or rest, upstream
end

local function read_file(record)
  local index, tree, name = record:match("^(.)(.) (.+)$")
  if not index then
    return nil
  end
  local letter = index ~= " " and index or tree
  return { name = name, status = CONFLICTS[index .. tree] and "conflict" or WORDS[letter]
      or "unknown", index_status = index, working_tree_status = tree,
    staged = index ~= " " and index ~= "?" and index ~= "!" and not CONFLICTS[index .. tree] }
end

--- A status from what git has printed.
---@param text string
---@return codecell.GitStatus
function status.parse(text)
  local found = { ahead = 0, behind = 0, detached = false, file_status = {} }
  local records = {}
  for record in text:gmatch("([^%z]+)%z?") do
    records[#records + 1] = record
  end
  local i = 1
  while records[i] do
    local record = records[i]
    if record:sub(1, 3) == "## " then
      read_branch(found, record:sub(4))
    else
      local file = read_file(record)
      if file and (file.index_status == "R" or file.index_status == "C") then
        i = i + 1
        file.renamed_from = records[i]
      end
      found.file_status[#found.file_status + 1] = file
    end
    i = i + 1
  end
  found.is_clean = #found.file_status == 0
  return found
end

return status
