# The bash kernel: runs cells in this process and speaks frames on
# descriptors 3 and 4 (protocol.h, enum cell_kernel_message). This is the first
# part of its text; bash_cell.sh is the rest.
#
# The text is run twice. First by `bash -c`, which keeps wire and output out
# of the way and starts an interactive bash over itself; that one runs it as
# its first PROMPT_COMMAND. From then on the reader loop of bash is the loop
# of the kernel: PROMPT_COMMAND runs one cell at top level, in no function and
# no loop, and an interrupt or a fatal error, which would end a script, comes
# back to the prompt with everything kept.
#
# User code shares this shell. What the kernel calls is quoted, or in
# functions that were read before any alias, and are readonly; between cells
# standard output and error lead nowhere, and the options that change how a
# script reads are off.
#
# Descriptors: 240 the wire to read, 241 and 242 the pipes of output, 243 the
# end to write of a pipe at 0, which gives the reader loop a line to read after
# each cell, 244 what a cell reads, 245 the wire to write. What a cell starts
# gets none of them.

if [[ $- != *i* ]]; then
  exec 0<<<'\:' 230<&3 231>&1 232>&2 233>>/dev/fd/0 235>&4
  PROMPT_COMMAND=$BASH_EXECUTION_STRING SHLVL=0 exec -a bash "$BASH" \
    --norc --noprofile --noediting +o history -i 3<&- 4>&- >/dev/null 2>&1
fi

# Where bash keeps a descriptor that is closed for one command (10, the first
# that is free) it is closed on exec, and so are the copies of that.
{ \exec 240<&10; } 230<&-
{ \exec 241>&10; } 231>&-
{ \exec 242>&10; } 232>&-
{ \exec 243>&10; } 233>&-
{ \exec 245>&10; } 235>&-
\exec 230<&- 231>&- 232>&- 233>&- 235>&- 244</dev/null
builtin set +H
builtin unset HISTFILE MAILCHECK PS1
builtin shopt -u checkwinsize
builtin shopt -s execfail
builtin export -n PROMPT_COMMAND

builtin readonly __codecell_execute=$'\2'
__codecell_count=0    # of cells
__codecell_done=()    # the last frame of a cell up to its request, and on
__codecell_status=0   # $? for the next cell
__codecell_letters=   # options of the user that are off between cells
__codecell_request=   # of the running cell, as printf writes it; '': none
__codecell_failure=() # command and line that set -e stopped at
__codecell_odd=       # something is to be done after the cell
__codecell_fed=0      # the cell has something to read
__codecell_restore=() # name, attributes and value before the cell, ...
__codecell_followed=  # while set -e is: the options of the user before, and "."
__codecell_ends=      # a trap may say something when this shell ends
__codecell_asks=      # the user may have a trap on INT: it is asked for after each cell
__codecell_trapped=   # that trap, as `trap -p` says it

# ---- frames ----

# The wire gives a byte that is 0 only as the end of a `read -d ''`: a piece
# shorter than what was asked for ends in one. A read of a pipe by bash takes
# what was asked for, never more.

# The last $1 of the four bytes of a number, least first; in __codecell_number,
# added to what is there.
__codecell_read_number()
{
  builtin local left="$1" piece octets
  while
    builtin read -r -d '' -n "$left" -u 240 piece || builtin exit 0
    if [[ $piece ]]; then
      builtin printf -v octets '(%d|%d<<8|%d<<16|%d<<24)' \
        "'${piece:0:1}" "'${piece:1:1}" "'${piece:2:1}" "'${piece:3:1}"
      ((__codecell_number |= octets << 8 * (4 - left)))
    fi
    (((left -= ${#piece} + 1) > 0))
  do
    :
  done
}

# The next $1 bytes as %b of printf has them; in __codecell_bytes.
__codecell_read_bytes()
{
  builtin local left="$1" piece
  __codecell_bytes=
  while ((left > 0)); do
    builtin read -r -d '' -n "$left" -u 240 piece || builtin exit 0
    __codecell_bytes+=${piece//\\/\\\\}
    if (((left -= ${#piece}) > 0)); then
      __codecell_bytes+='\x00'
      ((left -= 1))
    fi
  done
}

# The size and the kind of the next frame. Three of the bytes of a kind are 0, and
# so are three or fewer of a size: three pieces are all of a size or more.
__codecell_read_frame_head()
{
  builtin local -a pieces
  builtin mapfile -t -d '' -n 3 -u 240 pieces
  ((${#pieces[@]} == 3)) || builtin exit 0
  if ((${#pieces[0]} == 1)) && [[ ! ${pieces[1]}${pieces[2]} ]]; then
    builtin printf -v size %d "'${pieces[0]}"
    builtin mapfile -t -d '' -n 3 -u 240 kind
  else
    __codecell_split_frame_head
  fi
}

# The same of a size that is not less than 256.
__codecell_split_frame_head()
{
  builtin local -a octets
  builtin local piece left
  octets=()
  for piece in "${pieces[@]}"; do
    while [[ $piece ]]; do
      octets+=("'${piece:0:1}") piece=${piece:1}
    done
    octets+=("'")
  done
  builtin printf -v size '%d|%d<<8|%d<<16|%d<<24' "${octets[@]:0:4}"
  ((size = size, left = 8 - ${#octets[@]}))
  if ((left == 4)); then
    builtin mapfile -t -d '' -n 3 -u 240 kind
  else
    kind=${octets[4]:1}
    ((left == 0)) || builtin mapfile -t -d '' -n "$left" -u 240 pieces
  fi
}

# The name and the size of the next part.
__codecell_read_part_head()
{
  builtin local -a pieces
  if ((left < 256)); then # so are all its numbers
    builtin mapfile -t -d '' -n 6 -u 240 pieces
    builtin printf -v size %d "'${pieces[0]}"
    name=${pieces[3]:0:size} piece=${pieces[3]:size}
    builtin printf -v size %d "'$piece"
    [[ $piece ]] || builtin read -r -d '' -n 1 -u 240 piece
    builtin return
  fi
  builtin mapfile -t -d '' -n 4 -u 240 pieces
  builtin printf -v size %d "'${pieces[0]}"
  name=${pieces[3]:0:size} piece=${pieces[3]:size}
  builtin printf -v __codecell_number '%d|%d<<8|%d<<16|%d<<24' \
    "'${piece:0:1}" "'${piece:1:1}" "'${piece:2:1}" "'${piece:3:1}"
  ((__codecell_number = __codecell_number))
  ((${#piece} > 2)) || __codecell_read_number "$((3 - ${#piece}))"
  size=$__codecell_number
}

# Write a frame: kind, request, name, value, ...
__codecell_write()
{
  builtin local LC_ALL=C kind="$1" request="$2" payload= number value size=0
  builtin shift 2
  for value; do
    builtin printf -v number '\\x%02x\\x%02x\\x%02x\\x00' \
      "$((${#value} & 255))" "$((${#value} >> 8 & 255))" "$((${#value} >> 16 & 255))"
    ((size += 4 + ${#value}))
    payload+=$number${value//\\/\\\\}
  done
  builtin printf -v number '\\x%02x\\x%02x\\x%02x\\x00\\x%02x\\x00\\x00\\x00' \
    "$((size & 255))" "$((size >> 8 & 255))" "$((size >> 16 & 255))" "$kind"
  builtin printf %b "$number$request$payload" >&245
}

# ---- what a cell is given ----

# Set "NAME=value" in the environment; in a frame of a cell: for it alone.
__codecell_export()
{
  [[ ${1%%=*} == [A-Za-z_]*([A-Za-z0-9_]) ]] || return
  if [[ $kind == "$__codecell_execute" ]]; then
    builtin local -n __codecell_variable="${1%%=*}"
    __codecell_odd=1 __codecell_restore+=("${1%%=*}"
      "${__codecell_variable@a}${__codecell_variable+=}" "${__codecell_variable-}")
    builtin unset -n __codecell_variable
  fi
  builtin printf -v "${1%%=*}" %s "${1#*=}" && builtin declare -gx "${1%%=*}"
}

__codecell_restore_variables()
{
  builtin set -- "${__codecell_restore[@]}"
  __codecell_restore=()
  while (($#)); do
    if [[ $2 == *= ]]; then
      builtin printf -v "$1" %s "$3"
      [[ $2 == *x* ]] || builtin export -n "$1"
    else
      builtin unset -v "$1"
    fi
    builtin shift 3
  done
}

# Make the bytes in __codecell_bytes what a cell reads.
__codecell_feed()
{
  builtin local text
  if [[ $__codecell_bytes != *'\x00'* && $__codecell_bytes == *$'\n' ]]; then
    builtin printf -v text %b "${__codecell_bytes%$'\n'}"
    \exec 244<<<"$text"
  else
    \exec 244< <(builtin printf %b "$__codecell_bytes")
  fi
}

# Read the parts of a frame.
__codecell_read_parts()
{
  builtin local left="$size" name size piece
  __codecell_code=
  while ((left > 0)); do
    __codecell_read_part_head
    ((left -= 8 + ${#name} + size))
    case $name in
      code)
        # Many bytes at a time, but not a 0: the library leaves those out.
        builtin read -r -d '' -N "$size" -u 240 __codecell_code
        ;;
      env)
        builtin read -r -d '' -N "$size" -u 240 name
        __codecell_export "$name"
        ;;
      *)
        __codecell_read_bytes "$size"
        if [[ $name == stdin ]]; then
          __codecell_feed
          __codecell_fed=1 __codecell_odd=1
        fi
        ;;
    esac
  done
}
