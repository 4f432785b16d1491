#!/bin/sh
# command.sh INTERPRETER [LUA_FOLDER C_FOLDER] -- print the `codecell` command:
# a Lua script that finds its modules where they were built or installed.
set -eu

echo "#!$1"
if [ $# -gt 1 ]; then
  echo "package.path = [[$2/?.lua;$2/?/init.lua;]] .. package.path"
  echo "package.cpath = [[$3/?.so;]] .. package.cpath"
fi
echo 'os.exit(require("codecell.command").main(arg), true)'
