#!/bin/sh
# command.sh -- print the `codecell` command, a Lua script that finds its modules.
#
#   command.sh INTERPRETER LUA_FOLDER C_FOLDER   where they were built or installed
#   command.sh INTERPRETER rock VERSION          in the tree that LuaRocks put it in
set -eu

echo "#!$1"
if [ "$2" = rock ]; then
  # TREE/lib/luarocks/rocks-5.4/codecell/VERSION/bin/codecell
  echo 'local tree = arg[0]:match("^(.*)/lib/luarocks/rocks[^/]*/") or "."'
  lua="tree .. [[/share/lua/$3"
  c="tree .. [[/lib/lua/$3"
  echo "package.path = $lua/?.lua;]] .. $lua/?/init.lua;]] .. package.path"
  echo "package.cpath = $c/?.so;]] .. package.cpath"
else
  echo "package.path = [[$2/?.lua;$2/?/init.lua;]] .. package.path"
  echo "package.cpath = [[$3/?.so;]] .. package.cpath"
fi
echo 'os.exit(require("codecell.command").main(arg), true)'
