--- The words that people and models write behind a fence, and what they mean.
local language = {}

-- canonical name -> its other names. What is here is a programming language.
local PROGRAMMING = {
  ada = "adb ads",
  assembly = "asm nasm",
  awk = "gawk",
  bash = "sh zsh shell ksh dash ash shellscript shell-script console shell-session shellsession "
    .. "sh-session bash-session terminal",
  basic = "qbasic vb vbnet",
  batch = "bat cmd dosbatch",
  c = "h c89 c99 c11",
  clojure = "clj cljs edn",
  commonlisp = "lisp cl common-lisp elisp emacs-lisp",
  cpp = "c++ cxx cc hpp hxx",
  crystal = "cr",
  csharp = "cs c# dotnet",
  d = "dlang",
  dart = "",
  elixir = "ex exs iex",
  erlang = "erl",
  fish = "",
  fortran = "f77 f90 f95 f03 f08",
  fsharp = "fs f# fsx",
  go = "golang",
  groovy = "gradle",
  haskell = "hs ghci",
  java = "jshell",
  javascript = "js node nodejs mjs cjs es6 ecmascript jsx",
  julia = "jl jldoctest",
  kotlin = "kt kts",
  lua = "luau luajit texlua",
  matlab = "octave m",
  nim = "",
  objectivec = "objc objective-c obj-c",
  ocaml = "ml mli",
  pascal = "delphi objectpascal",
  perl = "pl pm perl5",
  php = "php8 phtml",
  powershell = "ps1 pwsh ps posh",
  prolog = "swipl",
  python = "py py3 python2 python3 ipython ipython3 pycon py3con pyi cpython pypy sage doctest "
    .. "python-repl pythonconsole",
  r = "rscript rlang splus",
  racket = "rkt",
  ruby = "rb irb rbx",
  rust = "rs",
  scala = "sc sbt",
  scheme = "scm",
  solidity = "sol",
  swift = "",
  tcl = "tclsh",
  typescript = "ts tsx mts cts deno",
  v = "vlang",
  wasm = "wat",
  zig = "",
}

-- What is never run, whatever it holds.
local DATA = {
  abnf = "bnf ebnf",
  apache = "nginx conf",
  asciidoc = "adoc",
  bibtex = "bib",
  cmake = "",
  css = "scss sass less",
  csv = "tsv table",
  diff = "patch udiff",
  dockerfile = "docker containerfile",
  dot = "graphviz",
  dotenv = "env",
  gitignore = "ignore",
  graphql = "gql",
  hcl = "terraform tf",
  html = "htm xhtml vue svelte",
  http = "https rest",
  ini = "cfg properties editorconfig",
  json = "json5 jsonc jsonl ndjson jsonlines geojson",
  latex = "tex math katex",
  makefile = "make mk",
  markdown = "md mdx mkd rmd qmd commonmark gfm",
  mermaid = "plantuml puml",
  output = "out stdout stderr result results log logs error errors traceback stacktrace trace "
    .. "expected expected-output console-output program-output",
  protobuf = "proto",
  rst = "restructuredtext rest-text",
  sql = "mysql pgsql postgresql postgres sqlite plsql tsql",
  svg = "",
  text = "txt plain plaintext plain-text ascii none nohighlight no-highlight raw tree",
  toml = "",
  xml = "xsd xsl xslt rss plist",
  yaml = "yml",
}

-- Words that say that the block is a session with prompts, not a program.
local SESSION = "pycon py3con doctest ipython ipython3 python-repl pythonconsole console "
  .. "shell-session shellsession sh-session bash-session terminal"

-- Longer words are no language.
local WORD_MAX = 64

local canonical, data, session = {}, {}, {}

local function enter(names, is_data)
  for name, others in pairs(names) do
    canonical[name] = name
    data[name] = is_data or nil
    for other in others:gmatch("%S+") do
      canonical[other] = name
    end
  end
end

enter(PROGRAMMING)
enter(DATA, true)
for word in SESSION:gmatch("%S+") do
  session[word] = true
end

-- "python3.11", "lua-5.4", "c++20", "node@18": the word without its version.
local function without_version(word)
  return (word:gsub("[-_@:]?v?%d[%d.]*$", ""))
end

--- The canonical name of a language by any of its names.
---@param word string as written, for instance "py3", "C++", "python3.11"
---@param aliases table<string, string>? further names, asked first
---@return string? name nil when the word means nothing
---@return boolean? is_session true for words such as "pycon" and "console"
function language.resolve(word, aliases)
  if #word > WORD_MAX then
    return nil
  end
  word = word:lower()
  for _, candidate in ipairs({ word, without_version(word) }) do
    local name = aliases and aliases[candidate] or canonical[candidate]
    if name then
      return name, session[candidate] or false
    end
  end
  return nil
end

--- Whether blocks of this language are data, never programs.
---@param name string canonical
---@return boolean
function language.is_data(name)
  return data[name] == true
end

--- Whether the language is a programming language that this module knows.
---@param name string? canonical
---@return boolean
function language.is_programming(name)
  return name ~= nil and PROGRAMMING[name] ~= nil
end

return language
