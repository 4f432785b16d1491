--- `codecell git`: git in a sandbox that stays, so that what is cloned is code like any other.
local launch = require "codecell.command.launch"
local named = require "codecell.command.named"
local quoted = require "codecell.process.quoted"
local run = require "codecell.command.run"
local runner = require "codecell.git.run"

local git = {
  summary = "run git in a sandbox that stays: clone, diff, commit",
  usage = "codecell git [OPTIONS] WORDS...",
  description = "Runs git with these words in the sandbox of that name, which stays for the next\n"
    .. "time, as with 'codecell run --name': there the code of the repository can be run. After\n"
    .. "clone the repository is where the next words count. The host of a URL that is cloned is\n"
    .. "reached, and nothing else. A token is given by the variable CODECELL_GIT_PASSWORD (and\n"
    .. "CODECELL_GIT_USERNAME), to this git alone; nothing keeps it.\n",
  stops_at_words = true,
  statuses = {
    [1] = "git failed",
    [124] = launch.statuses[124],
    [125] = "codecell itself failed: git was not run",
    [130] = launch.statuses[130],
    [137] = launch.statuses[137],
  },
  example = "codecell git clone https://github.com/lua/lua && codecell git diff",
  options = {
    { name = "name", value = "NAME", kind = "name", help = "of the sandbox (default git)" },
    { name = "network", value = "NETWORK", kind = "network",
      help = "what it may reach: none, open, or api.example.com,*.example.org:8443" },
    { name = "mount", value = "FOLDER", kind = "mount", repeated = true,
      help = "a folder of yours, HOST[:PATH[:MODE]], as of codecell run" },
    { name = "timeout", value = "SECONDS", kind = "seconds", help = "time for git (default 300)" },
    { name = "json", help = "print the whole Execution" },
  },
}

local DEFAULT = "git" -- name of the sandbox

-- The folder that a clone makes, as git names it.
local function folder_of(words)
  local places = {}
  for i = 2, #words do
    if words[i]:sub(1, 1) ~= "-" then
      places[#places + 1] = words[i]
    end
  end
  local last = places[#places]
  return last and last:gsub("/+$", ""):gsub("%.git$", ""):match("[^/:]+$")
end

-- Who is spoken to: a host of the words.
local function host_of(words)
  for _, word in ipairs(words) do
    local host = word:match("^https?://[^/@]*@([%w.-]+)") or word:match("^https?://([%w.-]+)")
    if host then
      return host
    end
  end
end

local function code_of(words)
  local safe = {}
  for i, word in ipairs(words) do
    safe[i] = quoted(word)
  end
  local line = "GIT_TERMINAL_PROMPT=0 GIT_PAGER=cat git -c credential.helper= -c "
    .. quoted(runner.helper) .. " " .. table.concat(safe, " ") .. " </dev/null"
  local folder = words[1] == "clone" and folder_of(words)
  return folder and line .. " && cd -- " .. quoted(folder) or line
end

function git.run(options, words)
  if not words[1] then
    return nil, "give the words of git, such as clone URL"
  end
  local asked = { name = options.name or DEFAULT, network = options.network,
    mount = options.mount, timeout = options.timeout, json = options.json, env = {} }
  local host = words[1] == "clone" and not options.network and host_of(words)
  if host then
    asked.network = { allow = { host } }
  end
  for _, name in ipairs { "CODECELL_GIT_USERNAME", "CODECELL_GIT_PASSWORD" } do
    local value = os.getenv(name)
    asked.env[#asked.env + 1] = value and { name, value }
  end
  return named.run("git", asked, { code = code_of(words) }, "bash", run.status)
end

return git
