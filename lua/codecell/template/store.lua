--- Where templates and snapshots are kept: `$CODECELL_HOME/templates/NAME/`.
---
--- template.json says what it is and which folder beside it, home-ID, is its home. That folder is
--- never changed once template.json names it: a new build makes another one, and a rename of
--- template.json decides. Whoever uses a folder, or is about to fill it, has a lock on it; what
--- nobody uses and no template.json names is removed by whoever comes by.
local core = require "codecell.core"
local errors = require "codecell.errors"
local json = require "codecell.json"
local nearest = require "codecell.nearest"
local xdg = require "codecell.xdg"

local store = {}

local FORMAT = 1
local ABOUT_MOST = 1024 * 1024 -- bytes of a template.json
local ATTEMPTS = 10 -- while others replace and remove the same one

--- What a template may be called: a name, and behind ":" the tag of one build of it.
---@param name string
---@return boolean
function store.is_name(name)
  local plain, tag = name:match("^(%w[%w._-]*):?(.*)$")
  return plain ~= nil and #plain <= 64 and #tag <= 128
    and (tag:find("^%w[%w._-]*$") ~= nil or tag == "" and name:sub(-1) ~= ":")
end

--- The folder of all templates, which need not be there yet.
---@return string? folder
---@return codecell.Error? err kind "invalid_argument": the environment names none
function store.folder()
  local home = os.getenv("CODECELL_HOME")
  if (not home or home == "") and core.uid() == 0 then
    home = "/var/lib/codecell"
  elseif not home or home == "" then
    local data = xdg("XDG_DATA_HOME", ".local/share")
    home = data and data .. "/codecell"
  end
  if not home or home:sub(1, 1) ~= "/" then
    return nil, errors.new("invalid_argument", home
      and ("templates: CODECELL_HOME must be an absolute path, not %q"):format(home)
      or "templates: neither CODECELL_HOME nor HOME says where they are; set one of them")
  end
  return home:gsub("/+$", "") .. "/templates"
end

local function explain(err)
  if err.kind == "permission_denied" then
    err.hint = "set CODECELL_HOME to a folder of your own"
    err.message = ("templates: %s; %s"):format(err.message, err.hint)
  else
    err.message = "templates: " .. err.message
  end
  return err
end

-- The folder of all, checked; false where there is none.
local function open(make)
  local folder, err = store.folder()
  if not folder then
    return nil, err
  end
  local ok
  ok, err = core.host_store(folder, make)
  if ok then
    return folder
  elseif err.kind == "not_found" and not make then
    return false
  end
  return nil, explain(err)
end

-- ---- reading ----

local function is_texts(value)
  for name, text in pairs(type(value) == "table" and value or { 0 }) do
    if type(name) ~= "string" or type(text) ~= "string" then
      return false
    end
  end
  return true
end

local function is_list(value)
  if value ~= nil and type(value) ~= "table" then
    return false
  end
  for _, text in ipairs(value or {}) do
    if type(text) ~= "string" then
      return false
    end
  end
  return true
end

local KINDS = { folder = "path", root = "path", template = "name" }

local function is_origin(from)
  return from == nil or type(from) == "table" and KINDS[from.kind] ~= nil
    and type(from[KINDS[from.kind]]) == "string" and type(from.text) == "string"
    and (from.kind == "template" or type(from.digest) == "string")
end

local function is_number(value)
  return type(value) == "number" and value >= 0 and value < 2 ^ 53
end

local function is_text(value)
  return type(value) == "string"
end

-- What each field may be, where it may be missing.
local FIELDS = {
  build = is_text,
  cpus = is_number,
  cwd = is_text,
  description = is_text,
  envs = is_texts,
  from = is_origin,
  imports = is_list,
  indexes = function(value) return type(value) == "table" end,
  interpreters = is_texts,
  memory = is_number,
  owner = is_text,
  packages = function(value)
    return type(value) == "table" and is_list(value.python) and is_list(value.javascript)
  end,
  public = function(value) return type(value) == "boolean" end,
  ready = is_text,
  root = function(value) return type(value) == "string" and value:sub(1, 1) == "/" end,
  start = is_text,
  steps = is_list,
  title = is_text,
}

local function is_about(about, name)
  if type(about) ~= "table" or about.format ~= FORMAT or about.name ~= name
    or type(about.id) ~= "string" or not about.id:find("^%w+$")
    or about.kind ~= "template" and about.kind ~= "snapshot"
    or not (is_number(about.files) and is_number(about.size) and is_number(about.created_at)) then
    return false
  end
  for field, is_right in pairs(FIELDS) do
    if about[field] ~= nil and not is_right(about[field]) then
      return false
    end
  end
  return true
end

local function path_of(folder, name)
  return ("%s/%s/template.json"):format(folder, name)
end

-- The text of a description; "" when it is longer than any is.
local function read_text(folder, name)
  local file, err = core.host_file(path_of(folder, name))
  if not file then
    return nil, err
  end
  local pieces, length = {}, 0
  repeat
    local piece = file:read(65536)
    pieces[#pieces + 1], length = piece, length + #(piece or "")
  until not piece or length > ABOUT_MOST
  file:close()
  return length <= ABOUT_MOST and table.concat(pieces) or ""
end

local function understand(folder, name, text)
  local about = json.decode(text)
  if not is_about(about, name) then
    return nil, errors.new("invalid_argument",
      path_of(folder, name) .. " is no description of a template",
      "remove it: codecell template rm " .. name)
  end
  about.home = ("%s/%s/home-%s"):format(folder, name, about.id)
  return about
end

local function read_about(folder, name)
  local text, err = read_text(folder, name)
  if not text then
    return nil, err
  end
  return understand(folder, name, text)
end

--- The names of all that are there.
---@param kind "template"|"snapshot"
---@return string[]? names
---@return codecell.Error? err the folder cannot be read, or is not to be trusted
function store.names(kind)
  local folder, err = open(false)
  if not folder then
    return folder == false and {} or nil, err
  end
  local entries
  entries, err = core.host_list(folder)
  if not entries then
    return nil, explain(err)
  end
  local names = {}
  for _, entry in ipairs(entries) do
    local about = entry.type == "dir" and store.is_name(entry.name)
      and read_about(folder, entry.name)
    if about and about.kind == kind then
      names[#names + 1] = entry.name
    end
  end
  table.sort(names)
  return names
end

--- What is known of a template or a snapshot.
---@param name string
---@return table? about nil without an error: there is none
---@return codecell.Error? err
function store.read(name)
  local folder, err = open(false)
  if not folder or not store.is_name(name) then
    return nil, err
  end
  local about
  about, err = read_about(folder, name)
  if not about and err.kind == "not_found" then
    return nil
  end
  return about, err
end

-- One whose home is locked; false when it was replaced meanwhile.
local function try_hold(folder, name)
  local text, err = read_text(folder, name)
  if not text then
    return nil, err.kind ~= "not_found" and err or nil
  end
  local about
  about, err = understand(folder, name, text)
  if not about then
    return nil, err
  end
  about.lock = core.host_lock(about.home, false)
  if about.lock and read_text(folder, name) == text then
    return about
  elseif about.lock then -- its home might be gone
    about.lock:close()
  end
  return false
end

--- The same, with a lock that keeps its home where it is until it is closed or collected.
---@param name string
---@return table? about with `lock`; nil without an error: there is none
---@return codecell.Error? err
function store.hold(name)
  local folder, err = open(false)
  if not folder or not store.is_name(name) then
    return nil, err
  end
  for _ = 1, ATTEMPTS do
    local about
    about, err = try_hold(folder, name)
    if about ~= false then
      return about, err
    end
  end
  return nil, errors.new("unavailable", ("template %s: its home is not there"):format(name),
    "build it again")
end

--- The error for a name that nothing has.
---@param verb string
---@param name string
---@param names string[] what there is
---@param what "template"|"snapshot"
---@return codecell.Error
function store.missing(verb, name, names, what)
  local near = nearest(name, names)
  local hint = near and ("did you mean %q?"):format(near)
    or ("'codecell %s ls' lists all"):format(what)
  return errors.new("not_found", ("%s: there is no %s %q; %s"):format(verb, what, name, hint), hint)
end

-- ---- writing ----

local function is_named(folder, name, id)
  local about = read_about(folder, name)
  return about ~= nil and about.id == id
end

-- Remove what is left of killed builds, and of what was replaced or removed and is not used any
-- more.
local function sweep_one(folder, name)
  local below = folder .. "/" .. name .. "/"
  local entries, there = core.host_list(below) or {}, {}
  for _, entry in ipairs(entries) do
    there[entry.name] = true
  end
  for _, entry in ipairs(entries) do
    local id, ending = entry.name:match("^home%-(%w+)(.*)$")
    local lock = ending == "" and not is_named(folder, name, id)
      and core.host_lock(below .. entry.name, true)
    -- It may have been named since; its builder lets go of it only then, so no later.
    if lock and not is_named(folder, name, id) then
      core.host_remove(below .. entry.name)
    elseif ending == ".json" and not there["home-" .. id] then
      os.remove(below .. entry.name)
    end
    if lock then
      lock:close()
    end
  end
  os.remove(folder .. "/" .. name) -- which fails while it holds something
end

local function sweep(folder)
  for _, entry in ipairs(core.host_list(folder) or {}) do
    if entry.type == "dir" and store.is_name(entry.name) then
      sweep_one(folder, entry.name)
    end
  end
end

--- Begin a new one, or a new version of it: an empty home to be filled, which nobody sees until
--- `commit`, and which is removed by `abandon`, or by the next build if this program is killed.
---@param name string
---@return table? draft `name id home lock root`: a descriptor of the home
---@return codecell.Error? err kinds "permission_denied", "no_space", "system"
function store.begin(name)
  local folder, err = open(true)
  if not folder then
    return nil, err
  end
  local draft = { name = name, id = core.random_id(20), folder = folder }
  draft.home = ("%s/%s/home-%s"):format(folder, name, draft.id)
  for _ = 1, ATTEMPTS do
    local ok
    ok, err = core.host_store(draft.home, true)
    draft.lock, draft.root = nil, nil
    if ok then
      draft.lock, err = core.host_lock(draft.home, false)
    end
    if draft.lock then
      draft.root, err = core.host_directory(draft.home, false)
    end
    if draft.root then
      sweep(folder)
      return draft
    elseif draft.lock then
      draft.lock:close()
    end
    if err and err.kind ~= "not_found" and err.kind ~= "unavailable" then
      break
    end -- else somebody swept between two of these steps
  end
  return nil, explain(err or errors.new("unavailable", "others remove " .. draft.home))
end

local function write_about(draft, about)
  local folder, err = core.host_directory(draft.folder .. "/" .. draft.name, false)
  if not folder then
    return nil, err
  end
  local text
  text, err = json.encode(about)
  local file
  local name = ("home-%s.json"):format(draft.id)
  if text then
    file, err = folder:make_file(name, 384) -- 0600
  end
  local ok
  if file then
    ok, err = file:write(text .. "\n")
    file:close()
  end
  if ok then
    ok, err = folder:describe("home-" .. draft.id, 493, os.time()) -- 0755
  end
  if ok then
    ok, err = folder:sync()
  end
  if ok then
    local below = draft.folder .. "/" .. draft.name .. "/"
    local problem
    ok, problem = os.rename(below .. name, below .. "template.json")
    err = not ok and errors.new("system", problem) or nil
  end
  if ok then
    ok, err = folder:flush()
  end
  folder:close()
  return ok, err
end

--- Let it be the one of its name, at once; what had the name before stays for those who use it.
---@param draft table
---@param about table
---@return true? done
---@return codecell.Error? err
function store.commit(draft, about)
  about.format, about.name, about.id = FORMAT, draft.name, draft.id
  local ok, err = write_about(draft, about)
  draft.root:close()
  draft.lock:close()
  if not ok then
    store.abandon(draft)
    return nil, explain(err)
  end
  return true
end

--- Change what is said of one, and not its files.
---@param name string
---@param change fun(about: table)
---@return table? about nil without an error: there is none
---@return codecell.Error? err
function store.rewrite(name, change)
  local held, err = store.hold(name)
  if not held then
    return nil, err
  end
  local folder = store.folder()
  local about = read_about(folder, name)
  local ok = about and about.id == held.id
  if ok then
    about.home = nil
    change(about)
    ok, err = write_about({ folder = folder, name = name, id = about.id }, about)
  else
    err = errors.new("unavailable", ("template %s: it is being replaced"):format(name))
  end
  held.lock:close()
  return ok and about or nil, err
end

--- Nothing is to be left of it.
---@param draft table
function store.abandon(draft)
  draft.root:close()
  draft.lock:close()
  sweep(draft.folder)
end

--- Remove one. Sandboxes that have it keep it until they end.
---@param name string
---@return boolean? removed false if there was none
---@return codecell.Error? err
function store.remove(name)
  local folder, err = open(false)
  if folder == nil then
    return nil, err
  elseif not folder or not store.is_name(name) then
    return false
  end
  local ok, problem, number = os.remove(("%s/%s/template.json"):format(folder, name))
  if not ok and number ~= 2 then
    return nil, explain(errors.new(number == 13 and "permission_denied" or "system", problem))
  end
  sweep(folder)
  return ok == true
end

return store
