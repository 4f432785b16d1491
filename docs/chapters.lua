-- The chapters of docs/reference.md: what is public, in the order in which it is read. `receivers`
-- says how users write the tables and classes of these files; what is not named there is private.
-- `only` picks some functions of a table, `except` leaves some out.
local function set(...)
  local names = {}
  for _, name in ipairs { ... } do
    names[name] = true
  end
  return names
end

return {
  introduction = [[
Times are seconds, sizes bytes, ports and file modes integers. Required arguments are positional,
all optional ones go in one last table; an unknown key raises and names the nearest valid one.

What is a bug of the caller raises: a wrong type, a number out of range, a closed object. What can
happen to a well-formed call returns `nil, err`, where `err.kind` is one of a closed set. What the
code in the sandbox did is a result.

A verb that waits does so by stepping the reactor of its Lua state; in a function started by
`codecell.async` it parks that function instead, and the others go on.]],
  {
    title = "The module",
    files = { "lua/codecell/create.lua", "lua/codecell/task.lua", "lua/codecell/loop.lua" },
    text = '`local codecell = require "codecell"`. Its parts load when they are first used.',
    receivers = { create = "codecell", task = "codecell", loop = "codecell", Task = "task" },
    except = set("resume", "complete", "background", "unlisted"),
  },
  {
    title = "Pools",
    files = { "lua/codecell/pool.lua" },
    text = "Sandboxes that are ready before anybody asks for one.",
    receivers = { pool = "codecell", Pool = "pool" },
    except = set("take"),
  },
  {
    title = "Sandbox",
    files = { "lua/codecell/sandbox.lua", "lua/codecell/sandbox/keeping.lua",
      "lua/codecell/sandbox/reaching.lua" },
    text = "What `codecell.create` returns. It ends when it is closed or collected, at its timeout,"
      .. " and with the program that made it.",
    receivers = { Sandbox = "sandbox" },
  },
  {
    title = "Templates and snapshots",
    files = { "lua/codecell/template.lua", "lua/codecell/template/build.lua",
      "lua/codecell/snapshot.lua" },
    text = "What sandboxes begin with, prepared once and shared by all of them, read-only: a home,"
      .. " variables, and if wanted a folder with programs in the place of this machine's: whatever"
      .. " has bin/sh or usr/bin, such as an image that `docker export $(docker create IMAGE) | tar"
      .. " -xC FOLDER` has unpacked, or a debootstrap tree. They are kept in"
      .. " `$CODECELL_HOME/templates` (`/var/lib/codecell` for root, else `$XDG_DATA_HOME/codecell`"
      .. " or `~/.local/share/codecell`), for their owner alone; who has one keeps it while it is"
      .. " replaced or removed. A file of a template that is written to is copied first; renaming a"
      .. " directory of it is EXDEV for `rename`, as under every overlay, and `mv` copies.",
    receivers = { template = "codecell.template", snapshot = "codecell.snapshot" },
    except = set("included", "is_root", "find", "apply", "plain", "take"),
  },
  {
    title = "Packages",
    files = { "lua/codecell/packages/rule.lua", "lua/codecell/packages.lua" },
    text = "What `sandbox:install` returns, and what the option `packages` of `create` takes. Names"
      .. " are compared in their normal form, without extras and versions. What an allowed package"
      .. " needs is allowed with it, as its index tells, unless `dependencies` is false; so is what"
      .. " sources are commonly built with (setuptools, hatchling and the like). Everything that a"
      .. " sandbox downloads comes through this program, which compares it with the checksums of"
      .. " the index and keeps it, read-only, for all sandboxes of its user: that another had it"
      .. " before shows in nothing but the time.",
    receivers = {},
  },
  {
    title = "Audit and spans",
    files = { "lua/codecell/audit.lua", "lua/codecell/audit/records.lua",
      "lua/codecell/audit/sessions.lua", "lua/codecell/audit/verify.lua",
      "lua/codecell/sandbox/security.lua", "lua/codecell/spans.lua" },
    text = "What was done, by whom, and how long it took; see [audit](audit.md).",
    receivers = { audit = "codecell.audit", Audit = "audit", spans = "codecell.spans" },
    except = set("place", "existing", "is", "tell_to", "are_wanted", "start", "finish", "leave",
      "current"),
  },
  {
    title = "Running code",
    files = { "lua/codecell/execution.lua", "lua/codecell/run.lua", "lua/codecell/context.lua" },
    text = "What `run_code` and `start_code` return, and the sessions that code runs in.",
    receivers = { Result = "result", Run = "run", Context = "context" },
  },
  {
    title = "Commands and terminals",
    files = { "lua/codecell/commands.lua", "lua/codecell/pty.lua", "lua/codecell/process.lua" },
    text = "Programs in a sandbox.",
    receivers = { Commands = "sandbox.commands", Pty = "sandbox.pty", Process = "process" },
  },
  {
    title = "Files",
    files = { "lua/codecell/files.lua", "lua/codecell/files/watcher.lua",
      "lua/codecell/files/archive.lua" },
    text = "Those of a sandbox, in and out, and what happens to them.",
    receivers = { Files = "sandbox.files", Watcher = "watcher", Archive = "archive" },
  },
  {
    title = "Git",
    files = { "lua/codecell/git.lua", "lua/codecell/git/others.lua",
      "lua/codecell/git/status.lua" },
    text = "`sandbox.git`: repositories in a sandbox, by the git that is there.",
    receivers = { Git = "sandbox.git" },
    except = set("new", "parse"),
  },
  {
    title = "E2B",
    files = { "lua/codecell/e2b/account.lua", "lua/codecell/e2b/object.lua",
      "lua/codecell/e2b/commands.lua", "lua/codecell/e2b/volume.lua" },
    text = "`create{backend = \"e2b\"}` and what is different there; everything else is as above."
      .. " See [E2B](e2b.md).",
    receivers = { account = "codecell.e2b", Account = "account", Sandbox = "sandbox",
      Commands = "sandbox.commands", Volume = "volume" },
  },
  {
    title = "Errors",
    files = { "lua/codecell/errors.lua" },
    receivers = { errors = "codecell.errors" },
    only = set("is", "assert"),
  },
  {
    title = "Code in answers",
    files = { "lua/codecell/agent/interpret.lua", "lua/codecell/agent/blocks.lua" },
    receivers = { interpret = "codecell", blocks = "codecell.blocks", Parser = "parser" },
    except = set("can_run", "each", "has_code"),
  },
  {
    title = "Documents and analysis",
    files = { "lua/codecell/export.lua", "lua/codecell/doctest.lua",
      "lua/codecell/analyze.lua" },
    text = "See [documents](documents.md). `codecell.analyze(code, language, options)` is a"
      .. " function.",
    receivers = { export = "codecell.export", doctest = "codecell.doctest",
      analyze = "codecell" },
    except = set("format_of", "of_sandbox", "save"),
  },
  {
    title = "Showing results",
    files = { "lua/codecell/agent/format.lua", "lua/codecell/agent/media.lua" },
    receivers = { format = "codecell.format", media = "codecell.media" },
  },
  {
    title = "Languages",
    files = { "lua/codecell/languages.lua" },
    text = "Code is given to `run_code` in any of them, by name or alias. R, Julia and every other"
      .. " language with a Jupyter kernel are those of that kernel where it is installed.\n\n"
      .. "Python shows results as in a notebook. In JavaScript, TypeScript and Lua `display(value,"
      .. " ...)` shows values, `display.html(text)` one in that format, and so do `text`,"
      .. " `markdown`, `svg`, `latex`, `javascript`, `png`, `jpeg`, `pdf`, `json`, `data` and"
      .. " `chart`; `display.mime` takes several formats of one result, by their MIME types.",
    receivers = { languages = "codecell.languages" },
    only = set("register", "list", "available"),
  },
  {
    title = "JSON",
    files = { "lua/codecell/json.lua" },
    receivers = { json = "codecell.json" },
  },
  {
    title = "Types",
    files = { "lua/codecell/meta.lua" },
    text = "What verbs take and return. Editors read them from `lua/codecell/meta.lua`.",
    receivers = {},
  },
  {
    title = "Configuration",
    files = { "lua/codecell/config.lua" },
    text = "What the service does, by argument, program, environment, file or default; see"
      .. " [the service](service.md). `codecell.config(overrides)` is `codecell.config.get`.",
    receivers = { config = "codecell.config" },
    except = set("keep", "hidden"),
  },
  {
    title = "The service",
    files = { "lua/codecell/service.lua", "lua/codecell/session.lua",
      "lua/codecell/service/shared.lua", "lua/codecell/service/job.lua", "lua/codecell/cost.lua" },
    text = "Sandboxes for many users, by one configuration; see [the service](service.md).",
    receivers = { service = "codecell", Service = "service", session = "codecell",
      Session = "session", Shared = "shared", Job = "job", cost = "codecell.cost" },
    except = set("tell", "of"),
  },
  {
    title = "The log",
    files = { "lua/codecell/log.lua" },
    text = "What the service says, and to whom: `sink`, `level` and `format` of `codecell.log`; see"
      .. " [the service](service.md#the-log).",
    receivers = { log = "codecell.log" },
    except = set("adopt", "configure", "write"),
  },
  {
    title = "The agent loop",
    files = { "lua/codecell/agent/loop.lua", "lua/codecell/agent/loop/usage.lua",
      "lua/codecell/agent/chat.lua" },
    text = "What `codecell.agent.loop` and `codecell.agent.chat` take and give; see"
      .. " [agents](agents.md).",
    receivers = {},
  },
  {
    title = "Policy",
    files = { "lua/codecell/policy.lua", "lua/codecell/policy/rules.lua" },
    text = "`codecell.policy`: who may do what; see [agents](agents.md).",
    receivers = { policy = "codecell.policy", Policy = "policy" },
    except = set("_denied", "_refuse"),
  },
  {
    title = "Tools",
    files = { "lua/codecell/tools/kit.lua", "lua/codecell/tools/encode.lua",
      "lua/codecell/tools/dialect.lua" },
    text = "What a model calls, in the form that its provider wants; see [tools](tools.md).",
    receivers = { tools = "codecell.tools", Kit = "kit" },
  },
  {
    title = "MCP",
    files = { "lua/codecell/mcp.lua" },
    text = "A server of the Model Context Protocol without a transport; see [MCP](mcp.md).",
    receivers = { mcp = "codecell.mcp", Session = "session" },
    except = set("notify", "log", "wants", "called"),
  },
  {
    title = "For models",
    files = { "lua/codecell/actions.lua", "lua/codecell/agent.lua",
      "lua/codecell/agent_config.lua", "lua/codecell/agent_config/form.lua",
      "lua/codecell/tools/cortex.lua" },
    text = "What a model calls, and what it is told.",
    receivers = { actions = "codecell.actions", agent = "codecell.agent", Agent = "agent",
      agent_config = "codecell.agent_config", Form = "form", cortex = "codecell.tools.cortex" },
  },
}
