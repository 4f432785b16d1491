--- What a model is told of the place where its code runs: made from what is configured and there,
--- so that it is true.
local prompt = {}

local function list_of(names)
  return table.concat(names, ", ")
end

local function number(value)
  return ("%.14g"):format(value)
end

local function files_line(config)
  return config.enable_file_system
    and "Files can be read and written below /home/user and /tmp; nothing of the user's machine is "
      .. "there."
    or "There is no file system to keep anything in: what is written to /tmp is gone with the "
      .. "sandbox."
end

local function network_line(config, about)
  return (config.enable_network or about.network == "open")
    and "The network can be reached; private addresses cannot."
    or "There is no network: do not try to download anything."
end

local function packages_lines(config, lines)
  if config.default_packages[1] then
    lines[#lines + 1] = ("These packages are installed: %s."):format(
      list_of(config.default_packages))
  end
  lines[#lines + 1] = config.allowed_packages[1]
    and ("Only these packages can be installed: %s."):format(list_of(config.allowed_packages))
    or "Name the packages that the code needs in install_packages; they are installed before it."
end

local ADVICE = {
  "Name the packages that you need first.",
  "Go step by step: run a small piece, look at what it says, then go on.",
  "Be specific: print what you want to see; nothing else comes back.",
  "Expect errors: read what the error says, mend the code, and run it again.",
}

---@class codecell.PromptFacts
---@field is_persistent boolean? whether variables stay from call to call
---@field memory integer? bytes
---@field max_execution_time number? seconds that the service allows
---@field is_mock boolean? nothing is executed
---@field network "open"|nil what code has of it by no wish of the agent's

local function identity_lines(config, lines)
  if config.description ~= "" then
    lines[#lines + 1] = ("You are %s: %s\n"):format(config.name, config.description)
  end
  if config.system_prompt ~= "" then
    lines[#lines + 1] = config.system_prompt .. "\n"
  end
end

--- The capability text of an agent, with its own prompt before it.
---@param config codecell.AgentConfig
---@param about codecell.PromptFacts? what is there
---@return string
function prompt.text(config, about)
  about = about or {}
  local lines = {}
  identity_lines(config, lines)
  lines[#lines + 1] = about.is_mock and "This is a test: nothing is executed, and answers are made "
    .. "up." or nil
  lines[#lines + 1] = "You can run Python code by the tool execute_python_code, in an isolated "
    .. "sandbox."
  lines[#lines + 1] = about.is_persistent
    and "Variables and files stay from one call to the next."
    or "Each call starts afresh: variables and files of earlier calls are not there."
  lines[#lines + 1] = files_line(config)
  lines[#lines + 1] = network_line(config, about)
  packages_lines(config, lines)
  lines[#lines + 1] = ("An execution may take at most %s seconds, a sandbox lives %s seconds.")
    :format(number(math.min(config.max_execution_time, about.max_execution_time or math.huge)),
      number(config.timeout))
  if about.memory then
    lines[#lines + 1] = ("It has %d MiB of memory."):format(about.memory / 2 ^ 20)
  end
  lines[#lines + 1] = config.enable_gpu and "A graphics processor is there." or nil
  for _, advice in ipairs(ADVICE) do
    lines[#lines + 1] = "- " .. advice
  end
  return table.concat(lines, "\n") .. "\n"
end

return prompt
