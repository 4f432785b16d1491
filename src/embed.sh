#!/bin/sh
# embed.sh -- turn files into C arrays, declared in embedded.h.
#
#   embed.sh warden PROGRAM      the program that runs in and beside a sandbox
#   embed.sh kernels FILE...     what keeps a session, one file a language
set -eu

bytes() {
  od -An -v -tx1 "$1" | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g'
}

what=$1
shift
echo '#include "embedded.h"'
case $what in
warden)
  echo 'const unsigned char cell_warden_program[] = {'
  bytes "$1"
  echo '};'
  echo 'const size_t cell_warden_program_size = sizeof cell_warden_program;'
  ;;
kernels)
  number=0
  for file in "$@"; do
    number=$((number + 1))
    echo "static const unsigned char kernel_$number[] = {"
    bytes "$file"
    echo '};'
  done
  echo 'const struct cell_embedded_kernel cell_embedded_kernels[] = {'
  number=0
  for file in "$@"; do
    number=$((number + 1))
    echo "  {\"$(basename "$file")\", kernel_$number, sizeof kernel_$number},"
  done
  echo '  {NULL, NULL, 0}};'
  ;;
esac
