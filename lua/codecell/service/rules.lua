--- What the verbs of a service take.
local rules = {}

rules.create = {
  cwd = { type = "text" }, user = { type = "name" },
  envs = { type = "envs" }, key = { type = "name" }, limits = { type = "table" },
  metadata = { type = "metadata" }, name = { type = "name" },
  network = { type = "either", expected = "string or table",
    rules = { string = { type = "name" }, table = { type = "table" } } },
  owner = { type = "name" }, packages = { type = "either", expected = "boolean or table",
    rules = { boolean = { type = "boolean" }, table = { type = "table" } } },
  secrets = { type = "envs" }, template = { type = "name" },
  timeout = { type = "number", above = 0, most = 86400 },
  timeout_ms = { type = "number", above = 0, most = 86400000 },
  mounts = { type = "table" }, read_only = { type = "boolean" }, gpu = { type = "boolean" },
  on_event = { type = "function" }, on_timeout = { type = "name" },
}

rules.execute = {
  context = { type = "context" },
  create = { type = "table", fields = rules.create }, envs = { type = "envs" },
  final_answer = { type = "boolean" }, key = { type = "name" }, language = { type = "name" },
  on_error = { type = "function" }, on_result = { type = "function" },
  on_stderr = { type = "function" }, on_stdout = { type = "function" },
  owner = { type = "name" }, packages = { type = "strings" },
  patience = { type = "number", least = 0, most = 86400 },
  sandbox = { type = "name" }, stdin = { type = "data" },
  timeout = { type = "number", above = 0, most = 86400 },
}

return rules
