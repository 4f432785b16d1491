local blocks = require "codecell.agent.blocks"
local check = require "spec.support.blocks_check"

local T = "```"

local function case(name)
  local file = assert(io.open("spec/cases/blocks/" .. name .. ".md", "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local function only(text, opts)
  local found = blocks.scan(text, opts)
  assert.equal(1, #found)
  return found[1]
end

local function fenced(info, code)
  return T .. info .. "\n" .. code .. "\n" .. T .. "\n"
end

describe("blocks.scan #E24 #E25 #M03", function()
  it("finds a plain block with its exact code (case 1)", function()
    local text = case("01_plain")
    local block = only(text)
    assert.equal("python", block.language)
    assert.equal('print("hello")', block.code)
    assert.is_true(block.closed)
    assert.is_true(block.runnable)
    assert.is_nil(block.why)
    assert.equal(T .. 'python\nprint("hello")\n' .. T, text:sub(block.first, block.last))
    assert.same({ 3, 5 }, { block.first_line, block.last_line })
  end)

  it("finds two blocks with text between (case 2)", function()
    local found = blocks.scan(case("02_two"))
    assert.same({ "python", "javascript" }, { found[1].language, found[2].language })
    assert.same({ "x = 1", "let y = 2" }, { found[1].code, found[2].code })
  end)

  it("knows c++ and says that it cannot run (case 3)", function()
    local block = only(case("03_cpp"), { languages = { "python" } })
    assert.equal("cpp", block.language)
    assert.is_false(block.runnable)
    assert.equal("language not installed: cpp", block.why)
    assert.is_true(only(case("03_cpp"), { languages = { "cpp" } }).runnable)
  end)

  it("runs what this machine has where the caller does not say", function()
    for _, language in ipairs(require("codecell.languages").list()) do
      if blocks.language(language.name) == language.name then
        assert.equal(language.available, only(fenced(language.name, "x")).runnable)
      end
    end
    assert.is_false(only(fenced("cobol", "x")).runnable)
  end)

  it("takes a version off the language (case 4) #E26", function()
    assert.equal("python", only(case("04_version")).language)
  end)

  it("reads attributes (cases 5, 6, 7) #E26", function()
    local titled = only(case("05_title"))
    assert.same({ "python", "a.py", 'python title="a.py"' },
      { titled.language, titled.attrs.title, titled.info })
    assert.equal("python", only(case("06_braces")).language)
    local classes = only(case("07_classes"))
    assert.equal("python", classes.language)
    assert.same({ "numberLines" }, classes.attrs.classes)
  end)

  it("minds no spaces around the language (cases 8, 9)", function()
    assert.equal("python", only(case("08_trailing_space")).language)
    assert.equal("python", only(case("09_space_before")).language)
  end)

  it("lists a block in a longer fence as nested, and does not run it (case 10) #E27", function()
    local text = case("10_nested")
    local block = only(text)
    assert.is_false(block.runnable)
    assert.equal(1, #block.nested)
    local inner = block.nested[1]
    assert.same({ "python", "print(1)", false, "inside another block" },
      { inner.language, inner.code, inner.runnable, inner.why })
    assert.equal(fenced("python", "print(1)"):sub(1, -2), text:sub(inner.first, inner.last))
    assert.is_true(only(text, { nested = "run" }).nested[1].runnable)
  end)

  it("makes CRLF line ends LF in code (case 11)", function()
    assert.equal("x = 1\nprint(x)", only(case("11_crlf")).code)
  end)

  it("knows tilde fences (case 12)", function()
    assert.equal('print("```")', only(case("12_tilde")).code)
  end)

  it("looks past a fence inside a string (case 13)", function()
    local block = only(case("13_ambiguous"))
    assert.equal('text = """\n```\nnot code\n```\n"""\nprint(text)', block.code)
    assert.is_true(block.ambiguous)
    assert.is_true(block.runnable)
  end)

  it("ends at the first fence when no later one completes the program", function()
    local found = blocks.scan(T .. 'python\ns = """\n' .. T .. "\nprose, it's long\n"
      .. fenced("bash", "ls"))
    assert.equal('s = """', found[1].code)
    assert.is_nil(found[1].ambiguous)
    assert.equal("ls", found[2].code)
  end)

  it("ends a nested block that is not closed with the block around it", function()
    local text = "> ````\n> ```py\n> x\ntext\n"
    local found = blocks.scan(text)
    check.ranges(text, found)
    assert.equal(found[1].last, found[1].nested[1].last)
  end)

  it("does not look past the end of a block quote", function()
    local text = "> ```python\n> s = \"\"\"\n> ```\ntext\n" .. fenced("python", 'x = """a"""')
    local found = blocks.scan(text)
    assert.same({ 's = """', 'x = """a"""' }, { found[1].code, found[2].code })
    check.stream(text, { 30 }, {}, found)
  end)

  it("looks past fences in long brackets and here-documents", function()
    assert.is_true(only(fenced("lua", "s = [[\n```\n]]")).ambiguous)
    local shell = only(fenced("sh", "cat > R.md <<'EOF'\n```python\nx\n```\nEOF"))
    assert.equal("cat > R.md <<'EOF'\n```python\nx\n```\nEOF", shell.code)
  end)

  it("asks the caller's test whether a program is complete", function()
    local function parses(code)
      return code:find("end", 1, true) ~= nil
    end
    local text = fenced("lua", "do\n```\nend")
    assert.equal("do\n```\nend", only(text, { parses = parses }).code)
    assert.equal("do", blocks.scan(text)[1].code)
  end)

  it("gives a block that was never closed, and does not run it (case 14)", function()
    local block = only(case("14_unclosed"))
    assert.same({ false, false, "print(1)\nprint(" },
      { block.closed, block.runnable, block.code })
    assert.matches("not closed", block.why)
    assert.is_true(only(case("14_unclosed"), { unclosed = "run" }).runnable)
    assert.is_true(only(case("14_unclosed"), { stop_reason = "stop_sequence" }).runnable)
    assert.is_false(only(case("14_unclosed"), { stop_reason = "length" }).runnable)
    assert.is_false(only(case("14_unclosed"),
      { stop_reason = "stop_sequence", unclosed = "refuse" }).runnable)
  end)

  it("finds <code> tags only when asked (case 15)", function()
    assert.same({}, blocks.scan(case("15_tag")))
    local block = only(case("15_tag"), { tags = true })
    assert.same({ "python", "print(1)", "tag" }, { block.language, block.code, block.form })
    assert.equal("lua", only("<code>x</code>", { tags = "lua" }).language)
    assert.same({}, blocks.scan("write `<code>` first", { tags = true }))
    assert.equal("print(1)", only("<code>\n" .. fenced("py", "print(1)") .. "</code>",
      { tags = true }).code)
  end)

  it("removes the indentation of a list item (case 16)", function()
    assert.equal("if True:\n    print(1)", only(case("16_list")).code)
  end)

  it("keeps the indentation of the first line (case 17)", function()
    assert.equal("    x = 1\n    y = 2", only(case("17_indented_code")).code)
  end)

  it("never runs a text sample (case 18)", function()
    local block = only(case("18_text"))
    assert.same({ "text", false, "data block: text" },
      { block.language, block.runnable, block.why })
  end)

  it("gives an empty block, which does not run", function()
    local block = only(T .. "python\n" .. T)
    assert.same({ "", true, false, "empty block" },
      { block.code, block.closed, block.runnable, block.why })
  end)

  local function verdicts(text)
    local list = {}
    for i, block in ipairs(blocks.scan(text)) do
      list[i] = block.code .. (block.runnable and " runs" or ": " .. block.why)
    end
    return list
  end

  it("does not run what is only shown: quotations, examples, comments", function()
    local shown = "x: in a quotation, an example or thoughts"
    local block = only("> " .. T .. "py\n> x\n> " .. T)
    assert.is_true(block.quoted)
    assert.same({ shown }, verdicts("> He wrote:\n>\n> - so\n>   " .. T .. "py\n>   x\n>   " .. T))
    for open, close in pairs({ ["<example>"] = "</example>", ["<blockquote cite=a>"] =
      "text</blockquote>", ["<!--"] = "so -->", ["<Output>"] = "</OUTPUT>" }) do
      assert.same({ shown, "y runs" },
        verdicts(open .. "\n" .. fenced("py", "x") .. close .. "\n" .. fenced("py", "y")), open)
    end
    assert.same({ "x runs" }, verdicts("<!-- a --> <think>b</think>\n\n" .. fenced("py", "x")))
    assert.same({ "x runs" }, verdicts("<example> is a tag\n\n" .. fenced("py", "x")))
    assert.same({ "x runs" }, verdicts("- one\n  " .. T .. "py\n  x\n  " .. T .. "\n"))
    assert.is_nil(only(fenced("py", "x")).quoted)
  end)

  it("does not run what a model only thinks, wherever the first tag of that is", function()
    assert.same({ "x: in a quotation, an example or thoughts", "y runs" },
      verdicts("<think>So:\n" .. fenced("py", "x") .. "done.</think>\n" .. fenced("py", "y")))
    assert.same({ "x: in thoughts", "y runs" },
      verdicts("So:\n" .. fenced("py", "x") .. "</think>\n" .. fenced("py", "y")))
    assert.same({ "x: in a quotation, an example or thoughts" },
      verdicts("<thinking>\n" .. fenced("py", "x")))
    assert.same({ "x: in a quotation, an example or thoughts", "y runs" },
      verdicts("<think>\n" .. T .. "py\nx\n</think>\n" .. fenced("py", "y")))
  end)

  it("does not run what its info string calls an example or an output", function()
    for _, info in ipairs({ "python example", "python output", "{.python .example}", "rust,ignore",
      "python no-run", "{python eval=FALSE}", "python {output}" }) do
      assert.equal("switched off in its info string", only(fenced(info, "x"),
        { languages = { "python", "rust" } }).why, info)
    end
    assert.is_true(only(fenced('python title="output.py"', "x")).runnable)
  end)

  it("finds blocks in quotes and in lists of lists", function()
    assert.equal("a\n\nb", only("> " .. T .. "py\n> a\n>\n> b\n> " .. T).code)
    assert.equal("a", only("1. x\n\n   - y\n\n     " .. T .. "py\n     a\n     " .. T).code)
    assert.equal("a", only("- " .. T .. "py\n  a\n  " .. T).code)
    local cut = blocks.scan("> " .. T .. "py\n> a\ntext")[1]
    assert.same({ false, false }, { cut.closed, cut.runnable })
  end)

  it("takes code in a list that lacks its indentation", function()
    assert.equal("x = 1\n  y", only("- s:\n  " .. T .. "py\nx = 1\n    y\n  " .. T).code)
    assert.is_true(only("1. s:\n   " .. T .. "py\n   x\n" .. T).closed)
  end)

  it("follows CommonMark in what is no fence", function()
    assert.same({}, blocks.scan("    " .. T .. "py\n    x\n    " .. T))
    assert.same({}, blocks.scan(T .. "py `x` " .. T .. "\n"))
    assert.same({}, blocks.scan("``py\nx\n``"))
    assert.equal("x\n" .. T .. " no", only(T .. "py\nx\n" .. T .. " no\n" .. T).code)
    assert.is_true(only(T .. "py\nx\n`````").closed)
    assert.equal("x\n~~~", only(T .. "py\nx\n~~~\n" .. T).code)
    assert.is_false(only("````py\nx\n" .. T).closed)
  end)

  it("handles tabs, NUL, invalid UTF-8 and a missing final newline", function()
    assert.equal("\tx", only(T .. "py\n\tx\n" .. T).code)
    assert.equal("  x", only("- a\n  " .. T .. "py\n\tx\n  " .. T).code)
    local odd = only(T .. "py\na\0b\255\n" .. T)
    assert.equal("a\0b\255", odd.code)
    assert.same({ "a NUL byte in line 1", "bytes that are not UTF-8 in line 1" }, odd.warnings)
    assert.equal("x", only(T .. "py\nx\n" .. T).code)
  end)

  it("sees that a program was never closed when another block begins", function()
    local found = blocks.scan(T .. "python\nx = 1\n\nNow:\n" .. fenced("python", "y = 2"))
    assert.same({ false, true }, { found[1].closed, found[2].closed })
    assert.same({ false, true }, { found[1].runnable, found[2].runnable })
    assert.equal("y = 2", found[2].code)
  end)

  it("takes prompts off and keeps the expected output", function()
    local python = only(fenced("pycon", ">>> for i in [1]:\n...     print(i)\n...\n1\n>>> 2\n2"))
    assert.same({ "python", "for i in [1]:\n    print(i)\n\n2", "1\n2" },
      { python.language, python.code, python.expected })
    local shell = only(fenced("console", "$ echo a \\\n> b\na b\nuser@host:~$ pwd\n/"))
    assert.same({ "bash", "echo a \\\nb\npwd", "a b\n/" },
      { shell.language, shell.code, shell.expected })
  end)

  it("links an output block to the program before it", function()
    local found = blocks.scan(fenced("python", "print(1)") .. "\n" .. fenced("output", "1"))
    assert.equal("1", found[1].expected)
    assert.same({ false, "output block" }, { found[2].runnable, found[2].why })
  end)

  it("never runs data", function()
    for _, word in ipairs({ "diff", "json", "text", "output", "mermaid", "http", "yaml", "sql" }) do
      assert.is_false(only(fenced(word, "x")).runnable, word)
    end
  end)

  it("takes a language from a comment or from #! in an untagged block", function()
    assert.equal("lua", only(fenced("", "# lang: lua\nx")).language)
    assert.equal("javascript", only(fenced("", "// language: js\nx")).language)
    assert.equal("python", only(fenced("", "#!/usr/bin/env python3\nx")).language)
  end)

  it("runs an untagged block only by option", function()
    assert.equal("no language given", only(fenced("", "x")).why)
    assert.is_true(only(fenced("", "x"), { untagged = "py" }).runnable)
  end)

  it("reads a call in JSON only when asked", function()
    local text = 'I run\n{"language": "python",\n "code": "print(\\"\\u00e9\\")\\n"}\nnow'
    assert.same({}, blocks.scan(text))
    local block = only(text, { calls = true })
    assert.same({ "python", 'print("\195\169")\n', "call" },
      { block.language, block.code, block.form })
    assert.equal("x", only('functions.execute({"lang": "js", "code": "x"})',
      { calls = true }).code)
    assert.equal("x", only(fenced("json", '{"language": "py", "code": "x"}'),
      { calls = true }).code)
    assert.same({}, blocks.scan('{"a": 1}\n{"code":', { calls = true }))
  end)

  it("warns of typographic quotes and leaves them alone", function()
    local block = only(fenced("py", "print(\226\128\156a\226\128\157)"))
    assert.equal("print(\226\128\156a\226\128\157)", block.code)
    assert.same({ "typographic quotes in line 1" }, block.warnings)
    assert.matches("1252", only(fenced("py", "print(\147a\148)")).warnings[1])
  end)

  it("lists blocks of users and tools, and runs none #S073", function()
    for _, role in ipairs({ "user", "tool" }) do
      local block = only(case("01_plain"), { role = role })
      assert.is_false(block.runnable)
      assert.matches(role, block.why)
    end
  end)

  it("resolves the usual names #E26", function()
    local names = {
      python = "py py3 Python3 ipython pycon python3.11", javascript = "js node mjs cjs",
      typescript = "ts tsx", bash = "sh bash zsh shell console", ruby = "rb", rust = "rs",
      go = "golang", cpp = "c++ cxx C++20", lua = "luau luajit lua5.4", r = "Rscript R",
      julia = "jl",
    }
    for name, words in pairs(names) do
      for word in words:gmatch("%S+") do
        assert.equal(name, blocks.language(word), word)
        assert.equal(name, only(fenced(word, "x")).language)
      end
    end
    assert.equal("language unknown: qwerty", only(fenced("qwerty", "x")).why)
    assert.equal("bf", only(fenced("brain", "x"), { aliases = { brain = "bf" } }).language)
  end)

  it("understands how models name files", function()
    assert.equal("src/a.py", only(fenced("python:src/a.py", "x")).attrs.filename)
    local cited = only(fenced("12:15:src/a.py", "x"))
    assert.same({ "python", "12-15" }, { cited.language, cited.attrs.lines })
    assert.is_false(only(fenced("{python eval=FALSE}", "x")).runnable)
  end)

  it("raises on wrong arguments", function()
    assert.has_error(function() blocks.scan(nil) end)
    assert.has_error(function() blocks.scan("", { untaged = "python" }) end)
    assert.has_error(function() blocks.scan("", { role = "system" }) end)
  end)

  it("takes linear time on hostile texts #slow", function()
    for _, unit in ipairs({ T .. "\n", T .. 'python\n"""\n' .. T .. "\n'''\n", "> - 1. ", "`", " ",
      "{\n", '"""\n', "<code>", "\r", "``<code>`````x``\n`\n" }) do
      local small = unit:rep(math.ceil(100000 / #unit))
      local clock = os.clock()
      blocks.scan(small, { tags = true, calls = true })
      local short = os.clock() - clock
      clock = os.clock()
      blocks.scan(small:rep(8), { tags = true, calls = true })
      assert.is_true(os.clock() - clock < 1 + short * 32)
    end
  end)
end)

describe("blocks.parser #E25", function()
  local variants = { {}, { tags = true, calls = true }, { untagged = "python" } }

  it("gives the same blocks as one piece, cut at every position", function()
    for number = 1, 24 do
      local file = assert(io.open(("fuzz/corpus/blocks/%02d.md"):format(number), "rb"))
      local text = file:read("*a")
      file:close()
      for _, opts in ipairs(variants) do
        local whole = blocks.scan(text, opts)
        check.ranges(text, whole)
        for cut = 0, #text do
          check.stream(text, { cut }, opts, whole)
        end
      end
    end
  end)

  it("gives the same blocks byte by byte", function()
    local text = case("13_ambiguous") .. case("10_nested") .. case("16_list") .. "\195\169\n"
    local every = {}
    for i = 1, #text do
      every[i] = i
    end
    check.stream(text, every, {}, blocks.scan(text))
  end)

  it("gives the same blocks wherever what is around them is cut", function()
    local text = "<think>a\n" .. T .. "py\n<b>\n</think>\n" .. fenced("py", "<x>")
      .. "<example>\n" .. fenced("py", "y") .. "</example>\n</think>\n> " .. fenced("py", "z")
    local whole = blocks.scan(text)
    check.ranges(text, whole)
    for cut = 0, #text do
      check.stream(text, { cut }, {}, whole)
    end
  end)

  it("gives out prose and code before the line ends, but never a possible fence", function()
    local parser = blocks.parser()
    assert.same({ { type = "text", text = "Hello" } }, parser:feed("Hello"))
    assert.same({ { type = "text", text = "\n" } }, parser:feed("\n``"))
    local opened = parser:feed("`python\n")
    assert.equal("open", opened[1].type)
    assert.equal("python", opened[1].block.language)
    assert.equal("print(", parser:feed("print(")[1].text)
    assert.equal("1)", parser:feed("1)\n``")[1].text)
    local closed = parser:feed("`\n")
    assert.equal("close", closed[1].type)
    assert.equal("print(1)", closed[1].block.code)
    parser:finish()
    assert.equal(1, #parser.blocks)
  end)

  it("never splits a character", function()
    local parser = blocks.parser()
    assert.same({ { type = "text", text = "a" } }, parser:feed("a\240\159"))
    assert.same({ { type = "text", text = "\240\159\152\128" } }, parser:feed("\152\128"))
  end)

  it("runs an unclosed block when the stop sequence ended it", function()
    local parser = blocks.parser()
    parser:feed(T .. "python\nx = 1\n")
    parser:finish("stop_sequence")
    assert.is_true(parser.blocks[1].runnable)
    assert.is_false(parser.blocks[1].closed)
  end)
end)
