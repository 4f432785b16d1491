-- root_folder.lua -- a folder with programs, as an unpacked image is: a shell, a few tools, and the
-- libraries that they need.
local shell = require "spec.support.shell"

local PROGRAMS = { "sh", "bash", "cat", "ls", "id", "sleep" }

--- Make one. The caller removes it with shell.remove.
---@return string path
return function()
  local path = shell.folder()
  local made = shell.run(([[
set -e
cd %s
mkdir -p usr/bin etc opt/tool tmp proc
chmod 755 .
for library in lib lib32 lib64; do
  if [ -d /$library ]; then mkdir -p usr/$library; ln -s usr/$library $library; fi
done
ln -s usr/bin bin
for program in %s; do
  cp -L "$(command -v $program)" usr/bin/$program
  ldd usr/bin/$program | grep -o '/[^ ]*' | while read -r library; do
    case $library in /usr/*) place=.$library ;; *) place=./usr$library ;; esac
    mkdir -p "$(dirname "$place")"
    cp -L "$library" "$place"
  done
done
echo 'NAME="Tiny"' > etc/os-release
echo 'root:secret' > etc/shadow
echo 'boss:x:0:0::/:/bin/sh' > etc/passwd
echo tool > opt/tool/name
]]):format(shell.quote(path), table.concat(PROGRAMS, " ")))
  assert(made.status == 0, made.stderr)
  return path
end
