--- Every setting there is: its name here, the variables that say it, its unit, bounds and default.
---
--- Times are seconds here and milliseconds in variables, as each document has its own: a variable
--- is read by `scale`, what one of its units is in ours. Of several variables the first wins.
local settings = {}

local MILLISECOND, MEBIBYTE, PERCENT = 0.001, 1024 * 1024, 0.01
local DAY = 86400

---@class codecell.Setting
---@field name string
---@field variables string[] the first that is set counts; the others are older names of it
---@field type "text"|"secret"|"flag"|"number"|"integer"|"choice"|"object"|"list"|"templates"|
---"amounts"
---@field help string
---@field default any
---@field production any? the default where environment is "production"
---@field test any? the default where environment is "test"
---@field scale number? what one of the variable's units is in ours
---@field unit string? of the value
---@field variable_unit string? of the variable
---@field least number?
---@field most number?
---@field above number?
---@field choices string[]?
---@field names string[]? of amounts
---@field is_ignored boolean? read and checked, and of no effect

---@type codecell.Setting[]
settings.list = {
  { name = "mode", variables = { "E2B_MODE" }, type = "choice",
    choices = { "mock", "local", "production", "docker", "podman", "kernel", "e2b" },
    help = "where code runs; by default production if there is a key, else mock" },
  { name = "environment", variables = { "E2B_ENVIRONMENT" }, type = "choice",
    choices = { "development", "production", "test" }, default = "development",
    help = "which of the defaults count" },
  { name = "api_key", variables = { "E2B_API_KEY" }, type = "secret",
    help = "key of the cloud; needed for production alone" },
  { name = "template", variables = { "E2B_TEMPLATE_ID" }, type = "text",
    help = "what sandboxes are made from" },
  { name = "domain", variables = { "E2B_DOMAIN" }, type = "text", default = "e2b.app",
    help = "where the cloud is" },
  { name = "api_url", variables = { "E2B_API_URL", "E2B_BASE_URL" }, type = "text",
    help = "where its control plane is; by default https://api.DOMAIN" },
  { name = "sandbox_url", variables = { "E2B_SANDBOX_URL" }, type = "text",
    help = "one URL of all its sandboxes" },
  { name = "debug", variables = { "E2B_DEBUG" }, type = "flag", default = false,
    help = "speak to envd on this machine" },
  { name = "validate_api_key", variables = { "E2B_VALIDATE_API_KEY" }, type = "flag",
    default = true, help = "refuse a key that has not the form of one" },
  { name = "max_retries", variables = { "E2B_MAX_RETRIES" }, type = "integer", default = 3,
    least = 0, most = 10, help = "how often a request that cannot have run is sent again" },
  { name = "fallback", variables = { "CODECELL_FALLBACK" }, type = "list",
    choices = { "local", "mock" }, default = {},
    help = "modes that stand in, in this order, for a cloud that cannot be reached; each reply"
      .. " says so" },

  { name = "local_use_docker", variables = { "E2B_LOCAL_USE_DOCKER" }, type = "flag",
    default = true, help = "local mode in containers, where codecell can; it cannot yet, and"
      .. " the kernel isolates it either way" },
  { name = "docker_image", variables = { "E2B_LOCAL_DOCKER_IMAGE" }, type = "text",
    help = "the image of those containers; as there are none, local mode refuses it unless"
      .. " local_use_docker is off" },

  { name = "execution_timeout", variables = { "E2B_EXECUTION_TIMEOUT", "E2B_TIMEOUT" },
    type = "number", default = 30, above = 0, most = DAY, scale = MILLISECOND, unit = "s",
    variable_unit = "ms", help = "how long code may run" },
  { name = "max_execution_time", variables = { "E2B_MAX_EXECUTION_TIME" }, type = "number",
    default = 300, production = 600, test = 60, above = 0, most = DAY, scale = MILLISECOND,
    unit = "s", variable_unit = "ms", help = "the longest that a call may ask for" },
  { name = "sandbox_timeout", variables = { "E2B_SANDBOX_TIMEOUT" }, type = "number",
    default = 300, production = 1200, test = 120, above = 0, most = DAY, scale = MILLISECOND,
    unit = "s", variable_unit = "ms", help = "how long a sandbox lives" },
  { name = "idle_timeout", variables = { "E2B_IDLE_SANDBOX_TIMEOUT" }, type = "number",
    default = 300, production = 600, test = 30, above = 0, most = DAY, scale = MILLISECOND,
    unit = "s", variable_unit = "ms", help = "how long one lives that nobody uses" },
  { name = "cleanup_interval", variables = { "E2B_CLEANUP_INTERVAL" }, type = "number",
    default = 60, production = 30, test = 5, above = 0, most = DAY, scale = MILLISECOND,
    unit = "s", variable_unit = "ms", help = "how often the unused ones are looked for" },

  { name = "max_output_length", variables = { "E2B_MAX_OUTPUT_LENGTH" }, type = "integer",
    default = 10000, least = 100, most = 2 ^ 31, unit = "characters",
    help = "what is kept of an output; more is cut in its middle" },
  { name = "max_code_size", variables = { "E2B_MAX_CODE_SIZE" }, type = "integer",
    default = 100000, production = 200000, least = 1, most = 60 * MEBIBYTE, unit = "bytes",
    help = "the longest code that is run" },
  { name = "rate_limit_per_min",
    variables = { "E2B_RATE_LIMIT_PER_MIN", "E2B_RATE_LIMIT_PER_MINUTE" }, type = "integer",
    default = 20, production = 60, test = 100, least = 0, most = 1e6, unit = "executions",
    help = "how many a minute; 0: any number" },
  { name = "max_concurrent_executions", variables = { "E2B_MAX_CONCURRENT_EXECUTIONS" },
    type = "integer", default = 3, production = 10, test = 10, least = 1, most = 10000,
    help = "how many run at the same time; the others wait" },
  { name = "max_active_sandboxes", variables = { "E2B_MAX_ACTIVE_SANDBOXES" }, type = "integer",
    default = 5, production = 20, test = 20, least = 1, most = 10000,
    help = "how many live at the same time" },
  { name = "pool_size", variables = { "E2B_SANDBOX_POOL_SIZE" }, type = "integer", default = 2,
    production = 5, test = 5, least = 0, most = 1000, help = "how many are kept ready" },
  { name = "pool_max", variables = { "CODECELL_POOL_MAX" }, type = "integer", least = 0,
    most = 1000, help = "how many are kept ready while many are asked for; by default pool_size" },
  { name = "memory_limit", variables = { "E2B_MEMORY_LIMIT_MB" }, type = "integer",
    default = 512 * MEBIBYTE, production = 1024 * MEBIBYTE, least = 16 * MEBIBYTE, most = 2 ^ 50,
    scale = MEBIBYTE, unit = "bytes", variable_unit = "MiB", help = "memory of a sandbox" },
  { name = "cpu_limit", variables = { "E2B_CPU_LIMIT_PERCENT" }, type = "number", above = 0,
    most = 1024, scale = PERCENT, unit = "processors", variable_unit = "percent of one",
    help = "processors of a sandbox; by default all" },

  { name = "allowed_languages", variables = { "E2B_ALLOWED_LANGUAGES" }, type = "list",
    help = "what code may be written in; by default whatever there is" },
  { name = "metadata", variables = { "E2B_SANDBOX_METADATA" }, type = "object", default = {},
    help = "what every sandbox is marked with: names and texts" },
  { name = "hidden_env_prefix", variables = {}, type = "text",
    default = "E2B_CODE_EV_",
    help = "variables of this program that begin so are given to code, and hidden in its output" },
  { name = "download_dir", variables = { "CODECELL_DOWNLOAD_DIR" }, type = "text",
    help = "where files are put that a user is given; by default below XDG_RUNTIME_DIR,"
      .. " or /tmp/codecell-UID" },
  { name = "budget", variables = { "CODECELL_BUDGET" }, type = "amounts",
    names = { "usd", "user_usd" }, help = "what sandboxes may cost: usd together, user_usd those of"
      .. " each user" },
  { name = "usage_file", variables = { "CODECELL_USAGE_FILE" }, type = "text",
    help = "a file that runs and ended sandboxes are added to, for codecell usage" },
  { name = "audit", variables = { "CODECELL_AUDIT" }, type = "text",
    help = "a file where everything is recorded before it is done, or the folder for one; what"
      .. " cannot be recorded is refused" },
  { name = "audit_code", variables = { "CODECELL_AUDIT_CODE" }, type = "flag", default = true,
    help = "code, input and written files stand there themselves; else their digests alone" },
  { name = "audit_output", variables = { "CODECELL_AUDIT_OUTPUT" }, type = "flag",
    default = true, help = "the same of what comes out" },
  { name = "audit_retention", variables = { "CODECELL_AUDIT_RETENTION" }, type = "number",
    above = 0, most = 2 ^ 40, unit = "s",
    help = "how long the contents of its records are kept; by default for ever" },
  { name = "audit_sync", variables = { "CODECELL_AUDIT_SYNC" }, type = "flag", default = false,
    help = "each record is on the disk before anything is done" },
  { name = "templates", variables = {}, type = "templates", default = {},
    help = "templates by their names: image (another template, or a folder with programs) and"
      .. " packages (installed in each sandbox)" },
  { name = "log", variables = { "CODECELL_LOG" }, type = "choice",
    choices = { "none", "text", "json", "syslog" },
    help = "write the log to standard error, or to the system's" },
  { name = "log_level", variables = { "CODECELL_LOG_LEVEL" }, type = "choice",
    choices = { "debug", "info", "warning", "error" }, default = "info",
    help = "what is not less than this is logged" },
  { name = "debug_pattern", variables = { "DEBUG" }, type = "text",
    help = "which parts log what only helps to find errors: e2b:*, codecell:*" },
  { name = "error_rate", variables = { "CODECELL_ERROR_RATE" }, type = "number", default = 0.5,
    above = 0, most = 1, unit = "of the runs of a minute",
    help = "the part of failures at which service:on(\"error_rate\") is told" },
  { name = "enable_metrics", variables = { "E2B_ENABLE_METRICS" }, type = "flag", default = true,
    help = "count runs; without it no metrics, no usage of runs and no error_rate" },
  { name = "enable_event_emission", variables = { "E2B_ENABLE_EVENT_EMISSION" }, type = "flag",
    default = true, help = "call who listens by service:on" },
  { name = "enable_error_propagation", variables = { "E2B_ENABLE_ERROR_PROPAGATION" },
    type = "flag", default = true, is_ignored = true,
    help = "without effect: errors are always told" },
  { name = "enable_memory_formation", variables = { "E2B_ENABLE_MEMORY_FORMATION" },
    type = "flag", default = false, is_ignored = true,
    help = "without effect: memories are the agent's" },
  { name = "enable_embeddings", variables = { "E2B_ENABLE_EMBEDDINGS" }, type = "flag",
    default = false, is_ignored = true, help = "without effect: so are embeddings" },
}

--- The settings by their names.
---@type table<string, codecell.Setting>
settings.by_name = {}

--- Their names, in the order of the list.
---@type string[]
settings.names = {}

for i, setting in ipairs(settings.list) do
  settings.by_name[setting.name] = setting
  settings.names[i] = setting.name
end

return settings
