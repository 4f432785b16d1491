--- `codecell config`: every setting, and who says it.
local command = require "codecell.command"
local config = require "codecell.config"
local json = require "codecell.json"
local secret = require "codecell.config.secret"
local sorted = require "codecell.sorted"

local listing = {
  summary = "show every setting, its variable, and where its value is from",
  usage = "codecell config [--json | --markdown | --templates] [--dotenv FILE]",
  description = "Shows the settings that count now, and whether an argument, the environment, a\n"
    .. "file or the default says so. With a mistake in one it says all that is wrong, and\n"
    .. "exits with 2.\n",
  statuses = { [2] = "bad usage, or a setting is wrong" },
  example = "codecell config --dotenv .env",
  options = {
    { name = "dotenv", value = "FILE", help = "read variables from this file, too" },
    { name = "json", help = "print them as JSON" },
    { name = "markdown", help = "print the table of the manual: names, variables, defaults" },
    { name = "templates", help = "show the templates of the configuration alone" },
  },
}

local function shown(value)
  if value == nil then
    return "-"
  elseif secret.is(value) then
    return tostring(value)
  elseif type(value) == "table" then
    local is_empty = next(value) == nil
    return is_empty and "none" or json.encode(value)
  end
  return tostring(value)
end

local function with_unit(text, unit)
  return unit and text ~= "-" and text .. " " .. unit or text
end

local function show_table(list)
  local rows, widths = { { "SETTING", "VALUE", "FROM", "VARIABLE" } }, { 0, 0, 0 }
  for i, one in ipairs(list) do
    rows[i + 1] = { one.name, with_unit(shown(one.value), one.unit), one.source,
      one.variable or one.variables[1] or "-" }
  end
  for _, row in ipairs(rows) do
    for column, width in ipairs(widths) do
      widths[column] = math.max(width, #row[column])
    end
  end
  local form = ("%%-%ds  %%-%ds  %%-%ds  %%s\n"):format(math.min(widths[1], 40),
    math.min(widths[2], 40), math.min(widths[3], 40))
  for _, row in ipairs(rows) do
    command.write(form:format(row[1], row[2], row[3], row[4]))
  end
end

local function in_variable(one)
  if one.default == nil or type(one.default) == "table" then
    return one.type == "object" and "`{}`" or ""
  elseif one.variable_unit == "ms" then
    return ("`%d` ms"):format(one.default * 1000)
  elseif one.variable_unit == "MiB" then
    return ("`%d` MiB"):format(one.default / 2 ^ 20)
  end
  return "`" .. tostring(one.default) .. "`"
end

local function show_markdown(list)
  command.write("| setting | variable | default | what it says |\n| --- | --- | --- | --- |\n")
  for _, one in ipairs(list) do
    local variables = {}
    for i, variable in ipairs(one.variables) do
      variables[i] = "`" .. variable .. "`"
    end
    local help = one.help .. (one.choices and ": " .. table.concat(one.choices, ", ") or "")
    command.write(("| `%s` | %s | %s | %s |\n"):format(one.name, table.concat(variables, ", "),
      in_variable(one), help))
  end
end

local function show_json(list)
  for _, one in ipairs(list) do
    one.variables = json.list(one.variables)
    one.choices = one.choices and json.list(one.choices)
    if secret.is(one.value) then
      one.value = tostring(one.value)
    end
  end
  command.print_json(json.list(list))
end

local function show_templates(list)
  for _, one in ipairs(list) do
    if one.name == "templates" then
      local names = sorted(one.value)
      for _, name in ipairs(names) do
        command.write(name, "\t", shown(one.value[name]), "\n")
      end
      if not names[1] then
        command.write("no templates; codecell.setup{templates = {...}} names some, and "
          .. "'codecell template ls' lists what was built\n")
      end
    end
  end
end

function listing.run(options, arguments)
  if arguments[1] then
    return nil, "takes no arguments"
  end
  if options.dotenv then
    local ok, err = config.dotenv(options.dotenv)
    if not ok then
      return nil, "--dotenv: " .. tostring(err)
    end
  end
  local list, problems, warnings = config.describe()
  for _, text in ipairs(warnings) do
    io.stderr:write("codecell config: warning: ", text, "\n")
  end
  for _, text in ipairs(problems) do
    io.stderr:write("codecell config: ", text, "\n")
  end
  if problems[1] then
    return command.status.usage
  elseif options.json then
    show_json(list)
  elseif options.markdown then
    show_markdown(list)
  elseif options.templates then
    show_templates(list)
  else
    show_table(list)
  end
  return command.status.success
end

return listing
