--- Code in what a language model wrote: found, named, judged, never run.
---
---     for _, block in ipairs(codecell.blocks.scan(answer)) do
---       if block.runnable then
---         sandbox:run_code(block.code, { language = block.language })
---       else
---         print(block.why)
---       end
---     end
---
--- Fences follow CommonMark, with three departures for what models get wrong: a fence that closes
--- inside a literal of the program is looked past (`ambiguous`); a fence that names a language
--- ends a program that was never closed; and code in a list item may lack its indentation.
--- The time is linear in the length of the text.
local Machine = require "codecell.agent.blocks.machine"
local Parser = require "codecell.agent.blocks.parser"
local language = require "codecell.agent.blocks.language"
local options = require "codecell.options"

---@class codecell.Block
---@field code string the program: indentation of the fence and final newline removed, CRLF made LF
---@field language? string canonical name ("python" for "py3"), nil if none is given or known
---@field info string the whole info string
---@field attrs table `title`, `filename`, `lines`, `id`, `classes` and every `key=value` of it
---@field closed boolean false: something else ended it
---@field first integer byte range in the source, from the first byte of the opening fence
---@field last integer to the last byte of the closing fence's line
---@field first_line integer line of the opening fence
---@field last_line integer
---@field form "fence"|"tag"|"call" what it was written as
---@field runnable boolean whether its language is known and can run, and nothing forbids it
---@field why? string why it is not runnable
---@field expected? string the output that the text says it has
---@field raw? string the text that prompts or JSON were taken from
---@field quoted? boolean it stands in a block quote, in a comment, in an element such as
---  `<example>`, or in thoughts: it is only shown
---@field nested? codecell.Block[] blocks inside this one, if it is a text with blocks
---@field ambiguous? boolean a fence inside it could have closed it
---@field warnings? string[] typographic quotes, NUL, invalid UTF-8 and the like in the code

---@class codecell.BlockOptions
---@field role? "assistant"|"user"|"tool" who wrote the text ("assistant"); blocks of others are
---  listed and not runnable
---@field languages? table|fun(name: string): boolean, string? what can run: a list, a set, or a
---  function that may say why not (what codecell.languages has on this machine)
---@field aliases? table<string, string> further words for languages
---@field untagged? string the language of blocks that name none (nil: they do not run)
---@field unclosed? "run"|"refuse" a block that the text's end cut (by the stop reason)
---@field stop_reason? string why the model stopped: "stop_sequence", "length", ...
---@field nested? "run"|"list" blocks inside a block ("list": they do not run)
---@field quoted? "run"|"list" blocks that are only shown ("list"); "run" is for documents, whose
---  quotations and examples are text like any other
---@field tags? boolean|string find `<code>`; a string is the language of a tag that names none
---@field calls? boolean find JSON objects with a `language` and a `code`
---@field parses? fun(code: string, language: string): boolean? whether a program is complete;
---  nil: unknown. Asked at closing fences

local blocks = {}

local OPTIONS = {
  aliases = { type = "table" },
  calls = { type = "boolean" },
  languages = { type = "either", expected = "table or function",
    rules = { table = { type = "table" }, ["function"] = { type = "function" } } },
  nested = { type = "choice", choices = { "run", "list" } },
  parses = { type = "function" },
  quoted = { type = "choice", choices = { "run", "list" } },
  role = { type = "choice", choices = { "assistant", "user", "tool" } },
  stop_reason = { type = "name" },
  tags = { type = "either", expected = "boolean or string",
    rules = { boolean = { type = "boolean" }, string = { type = "name" } } },
  unclosed = { type = "choice", choices = { "run", "refuse" } },
  untagged = { type = "name" },
}

-- A copy, so that a caller who changes his table later changes nothing here.
local function check(verb, given)
  given = options.check(verb, given, OPTIONS, 4)
  local opts = {
    aliases = given.aliases, calls = given.calls, languages = given.languages,
    nested = given.nested, parses = given.parses, quoted = given.quoted, role = given.role,
    stop_reason = given.stop_reason, tags = given.tags, unclosed = given.unclosed,
    untagged = given.untagged,
  }
  if opts.untagged then
    opts.untagged = language.resolve(opts.untagged, opts.aliases) or opts.untagged
  end
  return opts
end

--- Find the blocks of a text. Raises on a wrong option.
---@param text string
---@param opts codecell.BlockOptions?
---@return codecell.Block[] blocks in order
function blocks.scan(text, opts)
  if type(text) ~= "string" then
    error(("blocks.scan: the text must be a string, not a %s"):format(type(text)), 2)
  end
  opts = check("blocks.scan", opts)
  return Machine.new(opts, 0, true):whole(text, opts.stop_reason)
end

--- A parser for a text that arrives in parts: `feed(chunk)`, `finish(stop_reason?)`, both answer a
--- list of events; `blocks` has those found so far. Raises on a wrong option.
---@param opts codecell.BlockOptions?
---@return codecell.BlockParser
function blocks.parser(opts)
  return Parser.new(check("blocks.parser", opts))
end

--- The canonical name of a language by any of its names: "python" for "py3".
---@param word string
---@return string? name nil when the word means nothing
function blocks.language(word)
  return (language.resolve(word))
end

return blocks
