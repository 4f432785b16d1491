--- `codecell template`: build, list, show, remove and check templates.
local codecell = require "codecell"
local command = require "codecell.command"
local core = require "codecell.core"
local json = require "codecell.json"
local launch = require "codecell.command.launch"
local parts = require "codecell.command.parts"
local size = require "codecell.command.size"
local sorted = require "codecell.sorted"
local terminal = require "codecell.command.terminal"

local template = {
  summary = "prepare what sandboxes begin with: packages, files, programs",
  usage = "codecell template build NAME [OPTIONS] | build [NAME] FILE | ls | show NAME |\n"
    .. "                         rm NAME... | outdated [NAME...]",
  description = "A template is what sandboxes begin with, built once in a sandbox and shared\n"
    .. "by all that name it: 'codecell run --template NAME', create{template = NAME}.\n\n"
    .. "  build      make one of the options, or of FILE: a Dockerfile (FROM, RUN, COPY,\n"
    .. "             ENV, WORKDIR) or a list of packages, \"npm:NAME\" for one of npm. FILE\n"
    .. "             names it, or its folder, if NAME does not. --from: programs in a\n"
    .. "             folder (it has bin/sh or usr/bin) take the place of this machine's;\n"
    .. "             the files of any other are laid into /home/user\n"
    .. "  ls, show   list them; what is known of one\n"
    .. "  rm         remove them; sandboxes that have one keep it\n"
    .. "  outdated   what they were made of and has changed since; status 1 if anything has\n",
  parts = { { "build", "file" }, { "ls" }, { "show", "template" }, { "rm", "template" },
    { "outdated", "template" } },
  statuses = { [1] = "a step of the build failed, one cannot be removed, or one is outdated" },
  example = "codecell template build charts --python plotnine",
  options = {
    { name = "python", value = "LIST", kind = "name", repeated = true,
      help = "packages as pip takes them, with commas between" },
    { name = "npm", value = "LIST", kind = "name", repeated = true,
      help = "packages as npm takes them, with commas between" },
    { name = "from", value = "FROM", kind = "name",
      help = "a template, a folder with programs (an unpacked image), or one with files" },
    { name = "env", value = "NAME=VALUE", kind = "pair", repeated = true,
      help = "a variable; may be repeated" },
    { name = "run", value = "COMMAND", repeated = true, help = "a command; may be repeated" },
    { name = "network", value = "NETWORK", kind = "network",
      help = "what the commands may reach: none (default), open, or names with commas" },
    { name = "timeout", value = "SECONDS", kind = "seconds", help = "for all of it, default 3600" },
    { name = "description", value = "TEXT", kind = "name", help = "for people" },
    { name = "offline", help = "outdated: do not ask the indexes for newer packages" },
    { name = "json", help = "print the result as JSON" },
  },
}

local function as_json(one)
  one.imports, one.steps = json.list(one.imports), one.steps and json.list(one.steps)
  return one
end

-- ---- build ----

local function is_file(path)
  local file = core.host_file(path)
  if file then
    file:close()
  end
  return file ~= nil
end

-- "web.Dockerfile" is "web"; of "web/Dockerfile" and "Dockerfile" the folder has the name.
local function name_of(path)
  local folder, base = path:match("^(.-)/?([^/]+)$")
  local plain = base:gsub("%.[^.]*$", "")
  if not base:lower():find("^dockerfile") then
    return plain
  end
  return folder:match("[^/]+$")
end

local function read_words(words)
  local name, file = words[1], words[2]
  if not file and is_file(name) then
    name, file = nil, name
  elseif file and not is_file(file) then
    return nil, ("build: there is no file %s"):format(file)
  end
  if not name then
    name = name_of(file)
    if not name then
      return nil, ("build: %s says no name; give one: build NAME %s"):format(file, file)
    end
  end
  return name, file
end

local function split(lists)
  local all = {}
  for _, list in ipairs(lists or {}) do
    for item in list:gmatch "[^,]+" do
      all[#all + 1] = item:match("^%s*(.-)%s*$")
    end
  end
  return all[1] and all or nil
end

-- What a person sees of the steps: on a terminal their output too.
local function progress()
  local out = terminal.open(io.stderr, 2)
  local function on_step(number, count, text)
    out:settle()
    out:write(out:style("bold", ("[%d/%d] "):format(number, count)), text, "\n")
  end
  local function on_output(text)
    if out.is_terminal then
      out:foreign(text)
    end
  end
  return on_step, on_output, out
end

local function show_failure(err, out)
  out:settle()
  err.log = nil -- it is part of the output
  local status = launch.fail("template", err)
  for line in (not out.is_terminal and err.output or ""):gmatch "[^\r\n]+" do
    io.stderr:write("  ", (line:gsub("%c", "?")), "\n")
  end
  return err.step and command.status.code_failed or status
end

-- A folder by its path from the root: a template keeps what it was made from.
local function from_here(from)
  local path = from and from:find "[./]" and command.absolute(from)
  local there = path and core.host_directory(path, false)
  if there then
    there:close()
    return path
  end
  return from
end

local function build(options, words)
  local name, file = read_words(words)
  if not name then
    return nil, file
  end
  if not (file or options.python or options.npm or options.from or options.env or options.run) then
    return nil, ("build: there is no file %s, and no option says what %s is made of"):format(
      name, name)
  end
  local envs
  for _, pair in ipairs(options.env or {}) do
    envs = envs or {}
    envs[pair[1]] = pair[2]
  end
  local on_step, on_output, out = progress()
  local built, err = codecell.template.build(name, {
    file = file, python = split(options.python), npm = split(options.npm),
    from = from_here(options.from), envs = envs, run = options.run, network = options.network,
    timeout = options.timeout, description = options.description, on_step = on_step,
    on_output = on_output,
  })
  if not built then
    return show_failure(err, out)
  end
  out:settle()
  if options.json then
    command.print_json(as_json(built))
  else
    command.write(("%s: %s, %s\n"):format(name, size.count(built.files, "file"),
      size.text(built.size)))
  end
  return command.status.success
end

-- ---- the others ----

local ROW = "%-24s %-17s %-9s %s\n"

local function describe(one)
  local texts = {}
  for _, text in ipairs({ one.description or "", one.from and "from " .. one.from or "" }) do
    texts[#texts + 1] = text ~= "" and text or nil
  end
  for _, language in ipairs({ "python", "javascript" }) do
    local list = (one.packages or {})[language]
    texts[#texts + 1] = not one.description and list and table.concat(list, " ") or nil
  end
  return table.concat(texts, "; ")
end

local function ls(options)
  local list, err = codecell.templates()
  if not list then
    return launch.fail("template", err)
  elseif options.json then
    for _, one in ipairs(list) do
      as_json(one)
    end
    command.print_json(json.list(list))
    return command.status.success
  end
  -- A pipe gets rows alone, so that a column can be cut out of it.
  if core.isatty(1) then
    command.write(ROW:format("NAME", "BUILT", "SIZE", "WHAT"))
  end
  for _, one in ipairs(list) do
    command.write((ROW:format(one.name, one.built and size.date(one.created_at) or "-",
      one.built and size.text(one.size) or "-", describe(one)):gsub(" +\n", "\n")))
  end
  return command.status.success
end

local function show(options, words)
  local one, err = codecell.template.show(words[1])
  if not one then
    return launch.fail("template", err)
  elseif options.json then
    command.print_json(as_json(one))
    return command.status.success
  end
  local function line(name, value)
    if value and value ~= "" then
      command.write(("%-12s %s\n"):format(name, value))
    end
  end
  line("name", one.name)
  line("description", one.description)
  line("built", one.built and size.date(one.created_at) or "not yet: codecell template build "
    .. one.name)
  line("size", one.built and ("%s in %s"):format(size.text(one.size),
    size.count(one.files, "file")))
  line("from", one.from)
  line("programs", one.root)
  line("cwd", one.cwd)
  for _, name in ipairs(sorted(one.envs)) do
    line("env", name .. "=" .. one.envs[name])
  end
  for i, text in ipairs(one.steps or {}) do
    line("step " .. i, text)
  end
  return command.status.success
end

local function names_of(words)
  if words[1] then
    return words
  end
  local list, err = codecell.templates()
  local names = {}
  for _, one in ipairs(list or {}) do
    names[#names + 1] = one.built and one.name or nil
  end
  return list and names, err
end

local function outdated(options, words)
  local names, err = names_of(words)
  if not names then
    return launch.fail("template", err)
  end
  local status, all = command.status.success, {}
  for _, name in ipairs(names) do
    local moved
    moved, err = codecell.template.outdated(name, { packages = not options.offline })
    if not moved then
      return launch.fail("template", err)
    end
    all[name] = json.list(moved)
    for _, one in ipairs(moved) do
      status = command.status.code_failed
      if not options.json then
        command.write(("%s: %s: %s -> %s\n"):format(name, one.what, one.had, one.has))
      end
    end
  end
  if options.json then
    command.print_json(all)
  end
  return status
end

local PARTS = {
  build = { run = build, least = 1, most = 2, words = "a NAME, a FILE, or both", options = {
    "python", "npm", "from", "env", "run", "network", "timeout", "description" } },
  ls = { run = ls, most = 0, words = "no names" },
  outdated = { run = outdated, options = { "offline" } },
  rm = { run = parts.remover "template", least = 1, words = "the names of templates" },
  show = { run = show, least = 1, most = 1, words = "the name of a template" },
}

function template.run(options, arguments)
  return parts.run(options, arguments, PARTS)
end

return template
