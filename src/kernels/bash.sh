# The bash kernel: runs cells in this process and speaks frames on
# descriptors 3 and 4 (protocol.h, enum cell_kernel_message).
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

builtin readonly __codecell_execute=$'\2' __codecell_rehearse=$'\4'
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

# The name and the size of the next part.
__codecell_read_part_head()
{
  builtin local -a pieces
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

# ---- the end of a script, which is not that of a session ----

# Code that may use `set -e`, `set -u` or ${name:?} is known by its text: what
# is done for it costs time, and shows in what `trap -p` prints.

# With set -e a command that fails ends a shell, and so does an error of
# expansion. Here the eval ignores that, as behind `!` it does, and the command
# comes to a trap, which stops the cell as an interrupt does.
__codecell_failed()
{
  if [[ $- == *e* && $BASHPID == "$$" ]]; then
    __codecell_odd=1 __codecell_failure=("$1" "$2" "$3" "$(builtin trap -p INT)")
    # Functions count lines of their own here: of the cell is what called one.
    if ((${#FUNCNAME[@]} > 1)); then
      __codecell_failure[1]=${BASH_LINENO[${#BASH_LINENO[@]} - 1]}
    fi
    builtin set +e
    builtin trap - INT
    builtin kill -INT "$$"
  fi
}

# What ERR is to do: what the user has for it (__codecell_user, as `trap -p` says
# it; $1: the options of the user), then ours.
__codecell_compose()
{
  builtin local -a words
  builtin local user=
  builtin eval "words=($__codecell_user)"
  if [[ ${words[2]-} ]]; then
    user="; __codecell_return \"\$__codecell_status\" && :; ${words[2]}"
    [[ $1 == *E* ]] || user="; [[ \${FUNCNAME[0]+x} ]] || { ${user#; }"$'\n}'
  fi
  __codecell_trap="__codecell_status=\$? __codecell_line=\$LINENO$user
__codecell_failed \"\$__codecell_status\" \"\$__codecell_line\" \"\$BASH_COMMAND\""
}

# What `trap` is in a cell that may set one on ERR: ours stays behind it.
__codecell_replace()
{
  builtin trap "$@" || builtin return
  if [[ " $* " == *' ERR '* ]]; then
    __codecell_user="$(builtin trap -p ERR)"
    [[ $__codecell_user != *$'\n__codecell_failed '* ]] || builtin return 0
    __codecell_compose "$-"
    builtin trap -- "$__codecell_trap" ERR
  fi
}

# $1: options of the user.
__codecell_follow()
{
  builtin local start='\builtin trap -- "$__codecell_trap" ERR; '
  __codecell_compose "$1"
  [[ $1 == *e* ]] || start+='\builtin set +e; '
  if [[ $__codecell_code == *ERR* ]] && ! builtin declare -F trap; then
    builtin eval 'trap() { __codecell_replace "$@"; }'
  fi
  __codecell_code=$start$__codecell_code
  __codecell_followed=$1.
  builtin set -Ee
}

# After the cell: the user's trap again.
__codecell_unfollow()
{
  if [[ "$(builtin declare -f trap)" == *__codecell_replace* ]]; then
    builtin unset -f trap
  fi
  if [[ "$(builtin trap -p ERR)" == *$'\n__codecell_failed '* ]]; then
    builtin trap - ERR
    builtin eval "$__codecell_user"
  fi
  if [[ $__codecell_followed != *E* ]]; then
    __codecell_letters=${__codecell_letters//E/}
  fi
  __codecell_followed=
}

# Make one command of the code: an error of expansion ends only its command.
__codecell_wrap()
{
  builtin local rest="$__codecell_code"
  [[ $rest != *alias* ]] || builtin return 0
  while :; do
    rest=${rest#"${rest%%[![:space:]]*}"}
    [[ $rest == '#'*$'\n'* ]] || builtin break
    rest=${rest#*$'\n'}
  done
  [[ ! $rest || $rest == '#'* ]] || __codecell_code="{ $__codecell_code"$'\n\n}'
}

# ---- a cell ----

__codecell_return()
{
  builtin return "$1"
}

# Wait for a cell, which is left in __codecell_code; fails where set -e is, or
# may be coming.
__codecell_take()
{
  builtin local LC_ALL=C IFS= kind= request size
  if [[ $__codecell_request ]]; then # the cell came to no end
    __codecell_status=130 __codecell_letters=$-
    builtin set +e -E
    __codecell_give
  fi
  while [[ $kind != "$__codecell_execute" && $kind != "$__codecell_rehearse" ]]; do
    __codecell_number=0
    __codecell_read_number 4
    size=$__codecell_number
    builtin mapfile -t -d '' -n 3 -u 240 kind
    __codecell_read_bytes 8
    request=$__codecell_bytes
    __codecell_read_parts
  done
  [[ $kind == "$__codecell_rehearse" ]] || ((__codecell_count += 1))
  __codecell_request=$request
  # The reader loop leaves an array that takes no values.
  builtin unset -v PIPESTATUS
  __codecell_coming=$__codecell_letters
  case $__codecell_code in
    *nounset* | *':?'* | *errexit* | *'set -'* | *EXIT*) __codecell_look ;;
  esac
  # A shell that ends has left the cell, and so what the eval was given.
  [[ ! $__codecell_ends ]] || \exec 1>&241 2>&242
  [[ $__codecell_coming != *e* ]]
}

# Which options the code may set, and whether a trap on EXIT.
__codecell_look()
{
  builtin local rest="$__codecell_code"
  [[ $rest != *EXIT* ]] || __codecell_ends=1
  [[ $rest != *nounset* && $rest != *':?'* ]] || __codecell_coming+=u
  [[ $rest != *errexit* ]] || __codecell_coming+=e
  while [[ $rest == *'set -'* ]]; do
    rest=${rest#*set -}
    __codecell_coming+=${rest%%[!a-zA-Z]*}
  done
}

# Put the options back, and do what those that may be coming need.
__codecell_set()
{
  builtin local letters="${__codecell_letters//e/}"
  [[ ! $letters ]] || builtin set "-$letters"
  [[ $letters != *a* ]] || __codecell_odd=1
  [[ $__codecell_coming != *u* ]] || __codecell_wrap
  [[ $__codecell_coming != *e* ]] || __codecell_follow "$__codecell_letters"
}

# The last before the code. The status is that of the last cell.
__codecell_prepare()
{
  if [[ $__codecell_coming ]]; then
    __codecell_set
  fi
  builtin return "$__codecell_status"
}

# The frame that ends a cell, for counts of as many digits.
__codecell_prepare_done()
{
  builtin local digits="${#__codecell_count}"
  __codecell_done[2]=$digits
  builtin printf -v '__codecell_done[0]' '\\x%02x\\x00\\x00\\x00\\x13\\x00\\x00\\x00' \
    "$((23 + digits))"
  builtin printf -v '__codecell_done[1]' '\\x0f\\x00\\x00\\x00%s\\x%02x\\x00\\x00\\x00' \
    execution_count "$digits"
}

# Tell how the cell ended. What few cells need is elsewhere: bash copies a
# function to run it.
__codecell_give()
{
  if [[ $__codecell_followed ]]; then
    __codecell_unfollow
  fi
  builtin set +afkuvxET
  [[ ! $__codecell_ends ]] || \exec 1>/dev/null 2>&1
  __codecell_letters=${__codecell_letters//[!aefkuvxET]/}
  [[ $__codecell_request ]] || builtin return 0
  if [[ $__codecell_odd || $__codecell_status != 0 ]]; then
    __codecell_tidy
  fi
  if ((${#__codecell_count} != __codecell_done[2])); then
    __codecell_prepare_done
  fi
  builtin printf %b \
    "${__codecell_done[0]}$__codecell_request${__codecell_done[1]}$__codecell_count" >&245 ||
    builtin exit 70 # `enable -n printf`: there is no shell to go on with
  __codecell_request=
  builtin printf '\\:\n' >&243
}

# Say what was wrong, and take back what was for this cell alone.
__codecell_tidy()
{
  builtin local -a error
  if ((${#__codecell_failure[@]})); then
    __codecell_status=${__codecell_failure[0]} __codecell_letters+=e
    error=(ExitError "line ${__codecell_failure[1]}: ${__codecell_failure[2]:0:1000}" \
      "${__codecell_failure[1]}")
    builtin eval "${__codecell_failure[3]}"
    __codecell_failure=()
  elif ((__codecell_status == 2)); then
    __codecell_check_syntax
  fi
  if ((${#__codecell_restore[@]})); then
    __codecell_restore_variables
  fi
  if ((__codecell_fed)); then
    __codecell_fed=0
    \exec 244</dev/null
  fi
  builtin export -n __codecell_status __codecell_letters # as set -a has left them
  if ((__codecell_status)); then
    __codecell_complain
  fi
  __codecell_odd=
}

# Whether it was the code that had no sense: another shell reads it again.
__codecell_check_syntax()
{
  builtin local said
  builtin local -a options
  options=()
  [[ $BASHOPTS != *extglob* ]] || options=(-O extglob)
  said=$(builtin exec -a bash "$BASH" "${options[@]}" -n 2>&1 <<<"$__codecell_code") || builtin :
  if [[ $said == *': line '[0-9]* ]]; then
    said=${said:0:4000}
    error=(SyntaxError "$said" "${said#*: line }")
    error[2]=${error[2]%%[!0-9]*}
  fi
}

__codecell_complain()
{
  builtin local status="$__codecell_status" what
  what="the last command ended with status $status"
  case $status in
    126) what+=': it cannot be executed' ;;
    127) what+=': there is no such command' ;;
    130) what+=': interrupted' ;;
    137) what+=': killed (SIGKILL)' ;;
    139) what+=': it made an invalid reference to memory (SIGSEGV)' ;;
    143) what+=': terminated (SIGTERM)' ;;
  esac
  if ((status == 130)); then
    error[0]=KeyboardInterrupt
  fi
  builtin set -- name "${error[0]-ExitError}" value "$status" \
    traceback "${error[1]:+${error[1]}$'\n'}$what"
  [[ ! ${error[2]-} ]] || builtin set -- "$@" line "${error[2]}"
  __codecell_write 18 "$__codecell_request" "$@"
}

builtin readonly -f __codecell_read_number __codecell_read_part_head \
  __codecell_read_bytes __codecell_write \
  __codecell_export __codecell_restore_variables __codecell_feed __codecell_read_parts \
  __codecell_failed __codecell_compose __codecell_replace __codecell_follow \
  __codecell_unfollow __codecell_wrap \
  __codecell_return __codecell_take __codecell_look \
  __codecell_set __codecell_prepare __codecell_prepare_done __codecell_give __codecell_tidy \
  __codecell_check_syntax __codecell_complain

__codecell_write 16 '\x00\x00\x00\x00\x00\x00\x00\x00' \
  language bash version "${BASH_VERSION%%(*}" executable "$BASH"
# `!` keeps the user's trap on ERR from hearing of the eval as well. All in one
# line: lines of a cell are counted from this one.
PROMPT_COMMAND='\__codecell_take || ! __codecell_user="$(\builtin trap -p ERR)" '
PROMPT_COMMAND+='|| \builtin trap - ERR; '
PROMPT_COMMAND+='\__codecell_prepare && \: ; ! \command eval "$__codecell_code" '
PROMPT_COMMAND+='0<&244 1>&241 2>&242; '
PROMPT_COMMAND+='__codecell_status="${PIPESTATUS[0]:-1}" __codecell_letters="$-"; '
PROMPT_COMMAND+='\builtin set +e -E; \__codecell_give'
builtin readonly PROMPT_COMMAND
# What bash expands before it runs a line: without it lines of cells would be
# counted from the first line of the session.
PS0='$((LINENO = 1))'
