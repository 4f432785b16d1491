--- Building a template: steps in a sandbox, whose home is kept.
local check = require "codecell.options"
local core = require "codecell.core"
local create = require "codecell.create"
local errors = require "codecell.errors"
local keep = require "codecell.template.keep"
local languages = require "codecell.languages"
local mark = require "codecell.template.mark"
local sorted = require "codecell.sorted"
local store = require "codecell.template.store"
local tail = require "codecell.process.tail"
local template = require "codecell.template"

local build = {}

local HOME = "/home/user"
local TIMEOUT = 3600 -- seconds for all of it
local GIB = 1024 * 1024 * 1024
local LIMITS = { disk = 4 * GIB, memory = 4 * GIB, processes = 1024 }
local OUTPUT_MOST = 8192 -- bytes of the end of a step's output
-- What programs keep of their work, and nobody misses.
local LEFTOVERS = { HOME .. "/.cache/pip", HOME .. "/.npm/_cacache", HOME .. "/.npm/_logs" }

---@class codecell.BuildOptions
---@field from string? a template's name; or a folder: one with programs (bin/sh or usr/bin, as an
---unpacked image has) is used in the place of this machine's, the files of any other are laid into
---/home/user; default: the programs of this machine, and an empty home
---@field envs table<string, string>?
---@field python string[]? packages, as pip takes them
---@field npm string[]? packages, as npm takes them
---@field run (string|string[])[]? commands, last
---@field file string? a Dockerfile (FROM, RUN, COPY, ENV, WORKDIR) or a list of packages
---@field description string?
---@field imports string[]? Python modules that a pool of it should have ready
---@field packages boolean|table|nil what the commands may install, as of create; default true
---@field network ("none"|"open"|codecell.Network)? of the commands; default "none"
---@field limits codecell.LimitOptions? of the build; default 4 GiB of disk and of memory
---@field timeout number? seconds for all of it, default 3600
---@field on_step (fun(number: integer, count: integer, text: string))?
---@field on_output (fun(text: string))?

local RULES = {
  description = { type = "name" },
  envs = create.options.envs,
  file = { type = "text" },
  from = { type = "text" },
  imports = { type = "modules" },
  limits = create.options.limits,
  network = create.options.network,
  npm = { type = "strings" },
  on_output = { type = "function" },
  on_step = { type = "function" },
  packages = create.options.packages,
  python = { type = "strings" },
  run = { type = "table" },
  timeout = create.options.timeout,
}

-- ---- what is to be done ----

local function envs_of(from)
  local about = store.read(from)
  return about and about.envs or {}
end

local function read_file(path)
  local file, err = core.host_file(path)
  if not file then
    err.message = "build: " .. err.message
    return nil, err
  end
  local text = file:read(1024 * 1024) or ""
  file:close()
  local folder = path:match("^(.*)/[^/]+$") or "."
  return require("codecell.template.recipe").read(path, folder, text, envs_of)
end

local function words(command)
  return type(command) == "table" and table.concat(command, " ") or command
end

local TEXTS = {
  copy = function(step) return "COPY " .. step.from .. " " .. step.to end,
  env = function(step) return "ENV " .. table.concat(sorted(step.envs), " ") end,
  npm = function(step) return "npm " .. table.concat(step.packages, " ") end,
  python = function(step) return "python " .. table.concat(step.packages, " ") end,
  run = function(step) return "RUN " .. words(step.command) end,
  start = function(step) return "start " .. (step.command or step.ready) end,
  unpack = function(step) return ("COPY %s %s"):format(step.from, step.to) end,
  workdir = function(step) return "WORKDIR " .. step.path end,
}

local function text_of(step)
  return (TEXTS[step.kind](step):gsub("%c", " "))
end

build.text_of = text_of

-- What the options and the file ask for, in order.
local function plan(given)
  local described = {}
  if given.file then
    local err
    described, err = read_file(given.file)
    if not described then
      return nil, err
    end
  end
  if described.from and given.from then
    return nil, errors.new("invalid_argument",
      ("build: %s has a FROM; leave `from` out"):format(given.file))
  end
  local steps = {}
  local function add(kind, field, value)
    if value and next(value) ~= nil then
      steps[#steps + 1] = { kind = kind, [field] = value }
    end
  end
  add("env", "envs", given.envs)
  for _, list in ipairs({ described, given }) do
    add("python", "packages", list.python)
    add("npm", "packages", list.npm)
  end
  for _, step in ipairs(described.steps or {}) do
    steps[#steps + 1] = step
  end
  for _, command in ipairs(given.run or {}) do
    steps[#steps + 1] = { kind = "run", command = command }
  end
  return steps, given.from or described.from
end

--- What it is built from: a template, a root folder, or a folder with files.
---@param from string? nil: the programs of this machine, and an empty home
---@return table? base for `build.perform`
---@return codecell.Error? err
function build.base(from)
  if not from then
    return { about = {} }
  end
  local about = not from:find("/", 1, true) and store.read(from)
  if about or template.included(from) then
    return { template = from, about = about or {}, from = { kind = "template", name = from,
      id = about and about.id, text = "template " .. from } }
  end
  local folder, err = core.host_directory(from, false)
  if not folder then
    return nil, err.kind == "not_found" and errors.new("not_found",
      ("build: there is no template %q and no such folder"):format(from),
      "an image is unpacked into a folder first, for instance by "
        .. "'docker export $(docker create IMAGE) | tar -xC FOLDER'") or err
  end
  folder:close()
  if template.is_root(from) then
    if from:sub(1, 1) ~= "/" then
      return nil, errors.new("invalid_argument",
        ("build: %s holds programs: name it by an absolute path"):format(from))
    end
    from = template.plain(from)
    return { template = from, about = { root = from }, from = { kind = "root", path = from,
      digest = mark.of_root(from), text = "root " .. from } }
  end
  return { folder = from, about = {}, from = { kind = "folder", path = from,
    digest = mark.of_folder(from), text = "folder " .. from } }
end

-- ---- doing it ----

local steps = {}

local function absolute(state, path)
  return path:sub(1, 1) == "/" and path or state.cwd .. "/" .. path
end

function steps.env(state, step)
  state.sandbox:set_envs(step.envs)
  for name, value in pairs(step.envs) do
    state.envs[name] = value
  end
  return true
end

function steps.workdir(state, step)
  state.cwd = absolute(state, step.path):gsub("/+", "/"):gsub("(.)/$", "%1")
  local there = state.sandbox.files:get_info(state.cwd)
  if there and there.type == "dir" then
    return true
  elseif (state.cwd .. "/"):sub(1, #HOME + 1) ~= HOME .. "/" then
    return nil, errors.new("invalid_argument",
      ("%s: a template keeps what lies below %s, and no other folders"):format(state.cwd, HOME))
  end
  local made, err = state.sandbox.files:make_dir(state.cwd)
  return made ~= nil or nil, err
end

-- A folder's files go into the place, a file into a folder that is there or that "/" says.
function steps.copy(state, step)
  local to = absolute(state, step.to)
  local folder = core.host_directory(step.from, false)
  if folder then
    folder:close()
  else
    local there = state.sandbox.files:get_info(to)
    if to:sub(-1) == "/" or to:sub(-2) == "/." or there and there.type == "dir" then
      to = to .. "/" .. step.from:match("[^/]+$")
    end
  end
  local done, err = state.sandbox.files:upload(step.from, to)
  return done and true, err
end

function steps.run(state, step)
  local result, err = state.sandbox.commands:run(step.command, { cwd = state.cwd,
    timeout = state.timeout, on_stdout = state.said, on_stderr = state.said })
  if not result then
    return nil, err
  elseif result.exit_code == 0 then
    return true
  end
  return nil, errors.new(result.timed_out and "timeout" or "invalid_argument",
    result.timed_out and "it took too long; pass a longer timeout"
    or result.signal and "ended by " .. result.signal
    or ("exit status %d"):format(result.exit_code))
end

local function install(language)
  return function(state, step)
    local done, err = state.sandbox:install(step.packages, { language = language })
    state.said(done and done.log or err.log or "")
    if not done then
      return nil, err
    end
    local list = state.packages[language] or {}
    state.packages[language] = list
    for _, package in ipairs(step.packages) do
      list[#list + 1] = package
    end
    return true
  end
end

steps.python, steps.npm = install("python"), install("javascript")

-- What these need is another file's.
function steps.unpack(state, step)
  return require("codecell.template.unpack").lay_out(state, step)
end

function steps.start(state, step)
  return require("codecell.template.start").begin(state.sandbox, step, state.cwd, state.said)
end

local function do_steps(state, list, given)
  for i, step in ipairs(list) do
    if given.on_step then
      given.on_step(i, #list, text_of(step))
    end
    local add, output = tail(OUTPUT_MOST)
    function state.said(text)
      add(text)
      if given.on_output then
        given.on_output(text)
      end
    end
    local ok, err = steps[step.kind](state, step)
    if not ok then
      err.message = ("build %s: step %d of %d, %s: %s"):format(state.name, i, #list,
        text_of(step), err.message)
      err.step, err.output = i, output()
      return nil, err
    end
  end
  return true
end

-- Versions of what compiled files depend on.
local function interpreters(sandbox)
  local found = {}
  for _, name in ipairs({ "python", "javascript" }) do
    local way = languages.way(name, true, sandbox._root)
    local result = way and sandbox.commands:run({ way.program, "--version" })
    if result and result.exit_code == 0 then
      found[name] = (result.stdout .. result.stderr):match("^[^\r\n]*")
    end
  end
  return found
end

-- The versions as outdated sees them now.
build.interpreters = interpreters

local function describe(state, base, list, given)
  local texts = {}
  for i, step in ipairs(list) do
    texts[i] = text_of(step)
  end
  local about = {
    kind = "template", description = given.description, root = base.about.root, envs = state.envs,
    cwd = state.cwd ~= HOME and state.cwd or nil, imports = given.imports, from = base.from,
    steps = texts, packages = state.packages, interpreters = interpreters(state.sandbox),
    indexes = type(given.packages) == "table" and given.packages or nil,
  }
  for key, value in pairs(given.about or {}) do
    about[key] = value
  end
  return about
end

local function work(state, base, list, given)
  local sandbox = state.sandbox
  if base.folder then
    local ok, err = sandbox.files:upload(base.folder, HOME)
    if not ok then
      return nil, err
    end
  end
  local ok, err = do_steps(state, list, given)
  if not ok then
    return nil, err
  end
  for _, path in ipairs(LEFTOVERS) do
    sandbox.files:remove(path)
  end
  local about = describe(state, base, list, given)
  local kept
  kept, err = keep.home(sandbox, state.name, about)
  if not kept then
    err.message = ("build %s: %s"):format(state.name, err.message)
  end
  return kept, err
end

-- One that comes with the library is built as it is described there, unless something else is asked
-- for under its name.
local function describe_included(name, given)
  local description = template.included(name)
  local complete = {}
  for key, value in pairs(given) do
    complete[key] = value
  end
  for _, key in ipairs({ "from", "python", "npm", "run", "file", "envs" }) do
    if not description or given[key] ~= nil then
      return complete
    end
  end
  complete.python, complete.envs = description.python, description.envs
  complete.imports = given.imports or description.imports
  complete.description = given.description or description.description
  return complete
end

--- Do the steps in a sandbox of their own, and keep its home.
---@param name string
---@param list table[] steps: `kind`, and what that kind needs
---@param base table of `build.base`
---@param given table the options of the build, checked; `about`: what else is to be said of it
---@return table? about as the store has it
---@return codecell.Error? err
function build.perform(name, list, base, given)
  local limits = {}
  for key, value in pairs(LIMITS) do
    limits[key] = value
  end
  for key, value in pairs(given.limits or {}) do
    limits[key] = value
  end
  local timeout = given.timeout or TIMEOUT
  local sandbox, err = create.create({ template = base.template, limits = limits,
    timeout = timeout, network = given.network,
    packages = given.packages == nil or given.packages, name = "build " .. name })
  if not sandbox then
    return nil, err
  end
  local envs = {}
  for key, value in pairs(base.about.envs or {}) do
    envs[key] = value
  end
  local state = { name = name, sandbox = sandbox, envs = envs, packages = {}, timeout = timeout,
    cwd = base.about.cwd or HOME }
  local about
  about, err = work(state, base, list, given)
  sandbox:close()
  return about, err
end

--- See `codecell.template.build`.
---@param name string
---@param given table?
---@return table? about as the store has it
---@return codecell.Error? err
function build.build(name, given)
  given = check.check("build", given, RULES, 4)
  if not store.is_name(name) then
    return nil, errors.new("invalid_argument", ("build: a template's name is of letters, digits, "
      .. "\".\", \"_\" and \"-\", at most 64, not %q"):format(name))
  end
  given = describe_included(name, given)
  local list, from = plan(given)
  if not list then
    return nil, from
  end
  local base, err = build.base(from)
  if not base then
    return nil, err
  end
  return build.perform(name, list, base, given)
end

return build
