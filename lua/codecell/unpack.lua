--- The values of a list, one after the other: a global function before Lua 5.2.
return table.unpack or unpack -- luacheck: ignore
