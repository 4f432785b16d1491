--- The languages whose code is a whole program, run once: how each is compiled and run.
---
--- `{program}` stands for the compiler or interpreter that was found, `{source}` for the file with
--- the code, `{folder}` for the private folder that it is in, `{output}` for an executable to make
--- there, `{name}` for the source without its extension. What a user registers has the same fields.

-- Code without its comments and texts, in time linear in its length.
local function bare(code)
  local pieces, at = {}, 1
  while true do
    local first, last, mark = code:find('(["/][/*]?)', at)
    if not first then
      break
    end
    pieces[#pieces + 1] = code:sub(at, first - 1)
    if mark == "//" then
      at = code:find("\n", last, true)
    elseif mark == "/*" then
      at = select(2, code:find("*/", last + 1, true))
      at = at and at + 1
    elseif mark:sub(1, 1) == '"' then
      last = first
      repeat
        last = code:find('[\\"\n]', last + 1)
        local escaped = last and code:byte(last) == 92
        last = escaped and last + 1 or last
      until not escaped
      at = last and last + 1
    else
      pieces[#pieces + 1] = "/"
      at = first + 1
    end
    if not at then
      return table.concat(pieces, " ")
    end
  end
  pieces[#pieces + 1] = code:sub(at)
  return table.concat(pieces, " ")
end

local KINDS = { class = true, enum = true, interface = true, record = true }
local MODIFIERS = { abstract = true, final = true, sealed = true, static = true, strictfp = true }
local NAME_MOST = 128 -- bytes of a name of Java that becomes one of a file

-- The class that a file is named after: the public one, else the last one before main.
local function java_class(text)
  local is_public, kind, before, latest = false, nil, nil, nil
  for word in text:gmatch("[%a_$][%w_$]*") do
    if kind then
      latest, kind = word, nil
      if is_public then
        return latest
      end
    elseif KINDS[word] then
      kind = word
    elseif word == "main" and before == "void" then
      return latest
    elseif not MODIFIERS[word] then
      is_public = word == "public"
    end
    before = word
  end
  return latest
end

-- Java wants a class in a file of its name, in a folder of its package's.
local function java_source(code)
  local text = bare(code)
  local class = java_class(text) or "Main"
  local package = text:match("^%s*package%s+([%a_][%w_.]*)%s*;") or ""
  if #class > NAME_MOST or #package > NAME_MOST or package:find("..", 1, true) then
    return "Main.java"
  end
  return (package ~= "" and package:gsub("%.", "/") .. "/" or "") .. class .. ".java"
end

-- Without an opening tag PHP takes all of it for text to print.
local function php_code(code)
  return code:find("<?", 1, true) and code or "<?php " .. code
end

return {
  {
    name = "c",
    extensions = { "c" },
    programs = { "gcc", "clang", "cc" },
    hint = "install a C compiler: apt-get install gcc",
    compile = { "{program}", "-O1", "-pipe", "-o", "{output}", "{source}",
      "-lm", "-pthread" },
    whole = "main",
  },
  {
    name = "cpp",
    aliases = { "c++", "cxx", "cc" },
    extensions = { "cpp", "cc", "cxx" },
    programs = { "g++", "clang++", "c++" },
    hint = "install a C++ compiler: apt-get install g++",
    compile = { "{program}", "-O1", "-pipe", "-o", "{output}", "{source}",
      "-pthread" },
    whole = "main",
  },
  {
    name = "go",
    aliases = { "golang" },
    extensions = { "go" },
    programs = { "go" },
    folders = { "/usr/local/go/bin/", "/usr/lib/go/bin/" },
    hint = "install Go: apt-get install golang-go",
    compile = { "{program}", "build", "-o", "{output}", "{source}" },
    -- The cache serves the next program of the sandbox: the first one compiles what it imports.
    envs = { GOCACHE = "/tmp/.codecell/go", GOPATH = "/tmp/.codecell/gopath", GOPROXY = "off",
      GOFLAGS = "-mod=mod", GOTOOLCHAIN = "local", XDG_CONFIG_HOME = "/tmp/.codecell/config" },
    whole = "main",
  },
  {
    name = "rust",
    aliases = { "rs" },
    extensions = { "rs" },
    programs = { "rustc" },
    hint = "install Rust where all users see it: apt-get install rustc",
    compile = { "{program}", "--edition", "2021", "-o", "{output}", "{source}" },
    whole = "main",
  },
  {
    name = "java",
    extensions = { "java" },
    programs = { "javac" },
    hint = "install a Java development kit: apt-get install default-jdk-headless",
    source = java_source,
    compile = { "{program}", "-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC",
      "-J-XX:-UsePerfData", "-J-Xmx{memory}m", "-encoding", "UTF-8", "-d", "{folder}", "{source}" },
    -- It cannot see the limit of the sandbox, and takes a quarter of the machine's memory.
    run = { "java", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1",
      "-Xmx{memory}m", "-cp", "{folder}", "{name}" },
    whole = "main",
  },
  {
    name = "ruby",
    aliases = { "rb" },
    extensions = { "rb" },
    programs = { "ruby" },
    hint = "install Ruby: apt-get install ruby",
    run = { "{program}", "{source}" },
  },
  {
    name = "perl",
    aliases = { "pl", "perl5" },
    extensions = { "pl", "pm" },
    programs = { "perl" },
    hint = "install Perl: apt-get install perl",
    place = "last",
    run = { "{program}", "{source}" },
  },
  {
    name = "php",
    extensions = { "php" },
    programs = { "php" },
    hint = "install PHP: apt-get install php-cli",
    run = { "{program}", "-d", "display_errors=stderr", "-d", "log_errors=0", "{source}" },
    prepare = php_code,
  },
  {
    name = "r",
    aliases = { "rscript" },
    extensions = { "r" },
    jupyter = "ir",
    programs = { "Rscript" },
    hint = "install R: apt-get install r-base-core; with its Jupyter kernel, variables stay from "
      .. "cell to cell: apt-get install r-cran-irkernel python3-jupyter-client",
    run = { "{program}", "{source}" },
  },
  {
    name = "julia",
    aliases = { "jl" },
    extensions = { "jl" },
    jupyter = "julia",
    programs = { "julia" },
    hint = "install Julia in /usr/local, and its Jupyter kernel IJulia to keep variables from cell "
      .. "to cell",
    run = { "{program}", "--startup-file=no", "{source}" },
  },
}
