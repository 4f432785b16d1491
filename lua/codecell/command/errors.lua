--- `codecell errors`: what each err.kind means and what to do about it.
local command = require "codecell.command"
local json = require "codecell.json"
local kinds = require "codecell.errors.kinds"
local nearest = require "codecell.nearest"

local errors = {
  summary = "explain the kinds of errors",
  usage = "codecell errors [KIND | WORD] [--words] [--json]",
  description = "What each err.kind means and what helps; with --words, the finer words that a\n"
    .. "model is told (reply.kind, reply.details.kind), and what it is told to do.\n",
  takes = "error",
  example = "codecell errors timeout",
  options = {
    { name = "json", help = "print them as JSON" },
    { name = "words", help = "the words for models" },
  },
}

local function flags(row)
  return row.retryable and " Trying again may help." or ""
end

local function print_row(row)
  if row.kind then
    command.write(("%-18s %s: %s.%s\n"):format(row.kind, row.meaning, row.remedy, flags(row)))
  else
    command.write(("%-18s %s.%s\n%-18s   (%s: %s%s)\n"):format(row.word, row.model, flags(row), "",
      row.fault, row.developer, row.page and "; docs/troubleshooting.md, " .. row.page or ""))
  end
end

local function find(name, first)
  local names, other = {}, first == kinds.list and kinds.words or kinds.list
  for _, list in ipairs({ first, other }) do
    for _, row in ipairs(list) do
      local own = row.kind or row.word
      names[#names + 1] = own
      if own == name then
        return row
      end
    end
  end
  local near = nearest(name, names)
  return nil, ("no kind %q%s"):format(name, near and "; did you mean " .. near .. "?" or "")
end

function errors.run(options, arguments)
  if arguments[2] then
    return nil, "give one kind"
  end
  local shown = options.words and kinds.words or kinds.list
  if arguments[1] then
    local row, message = find(arguments[1], shown)
    if not row then
      return nil, message
    end
    shown = { row }
  end
  if options.json then
    local list = json.list({})
    for i, row in ipairs(shown) do
      list[i] = row
    end
    command.print_json(list)
    return command.status.success
  end
  for _, row in ipairs(shown) do
    print_row(row)
  end
  return command.status.success
end

return errors
