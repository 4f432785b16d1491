--- The shape of the option `packages` of create.

---@class codecell.Packages
---@field allow string[]? names that may be had; "pip:name" and "npm:name" mean one of the two;
---default: every one
---@field deny string[]? names that may not; it wins
---@field dependencies boolean? whether what an allowed package needs is allowed too; default true
---@field hosts string[]? names ("files.example:8443") that an index may have its files at, wherever
---they are; default: its own, and whatever is on the public internet
---@field index string? address of Python's index, with a user and a password or without; default:
---what PIP_INDEX_URL or pip's configuration of this machine say, else https://pypi.org/simple/
---@field registry string? address of npm's registry; default: what npm_config_registry or ~/.npmrc
---say, else https://registry.npmjs.org/
---@field install (string[]|table<string, string[]>)? what is installed before create returns: for
---Python, or by language

local FIELDS = {
  allow = { type = "strings" },
  deny = { type = "strings" },
  dependencies = { type = "boolean" },
  hosts = { type = "strings" },
  index = { type = "name" },
  install = { type = "table" },
  registry = { type = "name" },
}

return {
  type = "either", expected = "boolean or table",
  rules = { boolean = { type = "boolean" }, table = { type = "table", fields = FIELDS } },
}
