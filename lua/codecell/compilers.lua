--- The languages whose code is a whole program, run once: how each is compiled and run.
---
--- `{program}` stands for the compiler or interpreter that was found, `{source}` for the file with
--- the code, `{folder}` for the private folder that it is in, `{output}` for an executable to make
--- there, `{name}` for the source without its extension. What a user registers has the same fields.

-- Java wants a public class in a file of its name, and a class to start: the class around main.
local function java_source(code)
  local bare = code:gsub("/%*.-%*/", " "):gsub("//[^\n]*", "")
  local package = ("\n" .. bare):match("\n%s*package%s+([%w_.]+)%s*;")
  local class = bare:match("%f[%w_]public%s+[%l%s]-class%s+([%a_][%w_]*)")
  if not class then
    local main = bare:find("%f[%w_]void%s+main%s*%(") or #bare
    for name in bare:sub(1, main):gmatch("%f[%w_]class%s+([%a_][%w_]*)") do
      class = name
    end
  end
  return (package and package:gsub("%.", "/") .. "/" or "") .. (class or "Main") .. ".java"
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
    compile = { "{program}", "-O1", "-pipe", "-o", "{output}", "{source}", "-lm", "-pthread" },
    whole = "main",
  },
  {
    name = "cpp",
    aliases = { "c++", "cxx", "cc" },
    extensions = { "cpp", "cc", "cxx" },
    programs = { "g++", "clang++", "c++" },
    hint = "install a C++ compiler: apt-get install g++",
    compile = { "{program}", "-O1", "-pipe", "-o", "{output}", "{source}", "-pthread" },
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
      "-encoding", "UTF-8", "-d", "{folder}", "{source}" },
    run = { "java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", "{folder}", "{name}" },
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
    hint = "install R (apt-get install r-base-core), and its Jupyter kernel IRkernel to keep "
      .. "variables from cell to cell",
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
