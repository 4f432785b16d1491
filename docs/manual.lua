--- Make docs/codecell.1 of the tables of the commands: lua docs/manual.lua > docs/codecell.1
---
--- Run it in the top folder, with the library on the path: `make docs` does.
local command = require "codecell.command"
local help = require "codecell.command.help"

local HEAD = [[
.\" Made by `make docs` of the tables in lua/codecell/command/. Change them, not this.
.TH CODECELL 1 "" "codecell" "User Commands"
.SH NAME
codecell \- run code that a language model wrote, isolated on this machine
.SH SYNOPSIS
.B codecell
.I COMMAND
.RI [ OPTIONS ]
.SH DESCRIPTION
.B codecell
runs code that nobody has read in a sandbox: without network, without the files of this
machine but its programs, with limits on memory, processes, disk and time. It needs no root, no
daemon and no container image. Where the machine cannot isolate the code, nothing runs, and
.B codecell doctor
says why and what helps.
.PP
On a terminal there are colours, unless NO_COLOR is set, and pictures where it can draw them; in a
pipe there is plain text, and
.B \-\-json
is for programs. Every command has
.BR \-\-help .
.SH COMMANDS
]]

local TAIL = [[
.SH ENVIRONMENT
.TP
.B CODECELL_PYTHON
The Python interpreter to run, instead of the one in /usr/bin or /usr/local/bin.
.TP
.BR CODECELL_NODE ", " CODECELL_BASH ", " CODECELL_LUA_PROGRAM
The same for JavaScript and TypeScript, bash and Lua.
.TP
.B CODECELL_HOME
The folder of templates and snapshots: /var/lib/codecell for root, else $XDG_DATA_HOME/codecell or
~/.local/share/codecell.
.TP
.B XDG_CACHE_HOME
Packages are kept in its folder codecell; ~/.cache if it is not set.
.TP
.B XDG_RUNTIME_DIR
The socket of what
.B run \-\-name
keeps, and copies of files for download, are in its folder codecell; in /tmp/codecell-UID if it is
not set.
.TP
.BR PIP_INDEX_URL ", " npm_config_registry
Where packages come from, as for pip and npm; their configuration files count too.
.TP
.B E2B_MODE
Where code runs, if neither
.B \-\-backend
nor
.B \-\-mode
says so.
.TP
.BR E2B_API_KEY ", " E2B_DOMAIN ", " E2B_API_URL ", " E2B_SANDBOX_URL ", " E2B_TEMPLATE_ID
The account of E2B, and where it is, for
.BR "\-\-backend e2b" .
.TP
.B CODECELL_USAGE_FILE
Where services add a line of JSON for each run and each sandbox that has ended.
.SH EXAMPLES
.nf
codecell run \-c 'sum(range(10))'
codecell run \-\-timeout 10 \-\-save . analysis.py
codecell interpret answer.md
codecell doctor \-\-json
.fi
.SH "SEE ALSO"
The reference, the design and the security model in the documentation folder of the package.
]]

-- Text that roff shows as it is.
local function plain(text)
  text = text:gsub("\\", "\\e"):gsub("%-", "\\-")
  return (text:gsub("^[.']", "\\&%0"):gsub("\n([.'])", "\n\\&%1"))
end

local function lines(text)
  return ".nf\n" .. plain(text):gsub("\n+$", "") .. "\n.fi\n"
end

local function option_lines(option)
  local names = (option.short and "\\-" .. option.short .. ", " or "") .. "\\-\\-"
    .. plain(option.name)
  local value = option.value and " \\fI" .. plain(option.value) .. "\\fR" or ""
  return (".TP\n\\fB%s\\fR%s\n%s\n"):format(names, value, plain(option.help:gsub("%s*\n%s*", " ")))
end

local function section(found)
  local parts = { (".SS codecell %s\n"):format(plain(found.name)), lines(found.usage), ".PP\n",
    lines(found.description) }
  for _, option in ipairs(found.options) do
    parts[#parts + 1] = option_lines(option)
  end
  parts[#parts + 1] = ".PP\n"
  if found.notes then
    parts[#parts + 1] = lines(found.notes) .. ".PP\n"
  end
  local statuses = {}
  for i, status in ipairs(help.statuses(found)) do
    statuses[i] = ("%d %s"):format(status[1], plain(status[2]))
  end
  parts[#parts + 1] = "Exit status: " .. table.concat(statuses, "; ") .. ".\n"
  parts[#parts + 1] = ".PP\nFor instance:\n" .. lines(found.example)
  return table.concat(parts)
end

local function generate()
  local parts = { HEAD }
  for _, found in ipairs(command.all()) do
    parts[#parts + 1] = section(found)
  end
  parts[#parts + 1] = TAIL
  return table.concat(parts)
end

if arg and arg[0] and arg[0]:find("manual%.lua$") then
  io.write(generate())
end
return { generate = generate }
