--- What a template was made of, compared with how that is now.
local build = require "codecell.template.build"
local core = require "codecell.core"
local create = require "codecell.create"
local errors = require "codecell.errors"
local json = require "codecell.json"
local mark = require "codecell.template.mark"
local store = require "codecell.template.store"

local outdated = {}

local ASK = 120 -- seconds that the indexes may take

local function add(moved, what, had, has)
  moved[#moved + 1] = { what = what, had = had, has = has }
end

-- Short enough for one line, long enough to tell two apart.
local function short(digest)
  return digest:sub(1, 12)
end

local function look_at_folder(moved, from, of)
  local folder = core.host_directory(from.path, false)
  if not folder then
    return add(moved, from.text, short(from.digest), "gone")
  end
  folder:close()
  local now = of(from.path)
  if now ~= from.digest then
    add(moved, from.text, short(from.digest), short(now))
  end
end

local looks = {}

function looks.template(moved, from)
  local base = store.read(from.name)
  if from.id and not base then
    add(moved, from.text, short(from.id), "gone")
  elseif base and base.id ~= from.id then
    add(moved, from.text, from.id and short(from.id) or "not built", short(base.id))
  end
end

function looks.root(moved, from)
  look_at_folder(moved, from, mark.of_root)
end

function looks.folder(moved, from)
  look_at_folder(moved, from, mark.of_folder)
end

local function look_at_interpreters(moved, about, sandbox)
  local now = build.interpreters(sandbox)
  for name, version in pairs(about.interpreters or {}) do
    if now[name] ~= version then
      add(moved, name, version, now[name] or "gone")
    end
  end
end

-- ---- packages ----

local function plain(name)
  return (name:lower():gsub("[-_.]+", "-"))
end

-- Those that were asked for without saying which version. A pinned one is old on purpose.
local function unpinned(packages)
  local names = {}
  for _, package in ipairs(packages or {}) do
    local name = package:match("^[%w._-]+$") or package:match("^@?[%w._/-]+$")
    if name then
      names[plain(name)] = true
    end
  end
  return names
end

local INDEXES = {
  python = {
    command = { "python3", "-m", "pip", "list", "--outdated", "--format=json",
      "--disable-pip-version-check", "--user", "--retries", "0", "--timeout", "15" },
    read = function(list, each)
      for _, package in ipairs(list) do
        each(package.name, package.version, package.latest_version)
      end
    end,
  },
  javascript = {
    command = { "npm", "outdated", "--json", "--fetch-retries", "0", "--fetch-timeout", "15000",
      "--prefix", "/home/user" },
    read = function(list, each)
      for name, package in pairs(list) do
        each(name, package.current, package.latest)
      end
    end,
  },
}

local function ask_index(language, sandbox)
  local index = INDEXES[language]
  local result, err = sandbox.commands:run(index.command, { timeout = ASK })
  if not result then
    return nil, err
  end
  local list = json.decode(result.stdout == "" and "[]" or result.stdout)
  if type(list) ~= "table" or list.error then -- npm says 1 when something is outdated
    local line = (result.stderr:match("[^\r\n]+") or "it says nothing"):gsub("%c", " ")
    return nil, errors.new("unavailable", ("outdated: the index of %s does not answer: %s")
      :format(language, line), "pass packages = false (--offline) to leave the indexes out")
  end
  return list
end

local function look_at_packages(moved, about, sandbox)
  for _, language in ipairs({ "python", "javascript" }) do
    local names = unpinned((about.packages or {})[language])
    if next(names) ~= nil then
      local list, err = ask_index(language, sandbox)
      if not list then
        return nil, err
      end
      INDEXES[language].read(list, function(name, had, has)
        if type(name) == "string" and names[plain(name)] and had ~= has then
          add(moved, language .. " " .. name, tostring(had), tostring(has))
        end
      end)
    end
  end
  return true
end

--- See `codecell.template.outdated`.
---@param about table as the store has it
---@param with_packages boolean
---@return table[]? moved
---@return codecell.Error? err
function outdated.look(about, with_packages)
  local moved = {}
  if about.from then
    looks[about.from.kind](moved, about.from)
  end
  for _, gone in ipairs(moved) do
    if gone.has == "gone" then -- nothing can be run to learn more
      return moved
    end
  end
  local sandbox, err = create.create({ template = about.name,
    packages = with_packages and (about.indexes or true) })
  if not sandbox then
    return nil, err
  end
  look_at_interpreters(moved, about, sandbox)
  local ok = true
  if with_packages then
    ok, err = look_at_packages(moved, about, sandbox)
  end
  sandbox:close()
  return ok and moved or nil, err
end

return outdated
