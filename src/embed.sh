#!/bin/sh
# embed.sh -- turn files into C arrays, declared in embedded.h.
#
#   embed.sh warden PROGRAM      the program that runs in and beside a sandbox
#   embed.sh kernels FILE...     what keeps a session, one file a language
#   embed.sh zygote LIBRARY      what is loaded ahead into an interpreter
set -eu

bytes() {
  od -An -v -tx1 "$1" | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g'
}

what=$1
shift
echo '#include "embedded.h"'
case $what in
warden | zygote)
  case $what in warden) name=cell_warden_program ;; *) name=cell_zygote_library ;; esac
  echo "const unsigned char $name[] = {"
  bytes "$1"
  echo '};'
  echo "const size_t ${name}_size = sizeof $name;"
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
