-- The chapters of docs/reference.md: what is public, in the order in which it is read.
return {
  introduction = [[
Times are seconds, sizes bytes, ports and file modes integers. Required arguments are positional, all
optional ones go in one last table; an unknown key raises and names the nearest valid one.

What is a bug of the caller raises: a wrong type, a number out of range, a closed object. What can happen to a
well-formed call returns `nil, err`, where `err.kind` is one of a closed set. What the code in the sandbox did is a
result.]],
  { title = "The module", receiver = "codecell", files = { "lua/codecell/wait.lua", "lua/codecell/task.lua" } },
  { title = "Errors", receiver = "codecell.errors", files = { "lua/codecell/errors.lua" } },
}
