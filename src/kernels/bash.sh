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
# Descriptors: 240 and 245 the wire, 241 and 242 the pipes of output, 243 the end to
# write of a pipe at 0, which gives the reader loop a line to read after each
# cell, 244 what a cell reads, which is all that a cell finds at the others: it
# cannot hold the wire. They are not closed, since bash would then keep them at
# 10 and above meanwhile, where users have theirs.

if [[ $- != *i* ]]; then
  exec 0<<<'\:' 240<&3 241>&1 242>&2 243>>/dev/fd/0 244</dev/null 245>&4
  PROMPT_COMMAND=$BASH_EXECUTION_STRING SHLVL=0 exec -a bash "$BASH" \
    --norc --noprofile --noediting -i 3<&- 4>&- >/dev/null 2>&1
fi

builtin set +H +o history
builtin unset HISTFILE MAILCHECK PS1
builtin shopt -u checkwinsize
builtin export -n PROMPT_COMMAND

builtin readonly __codecell_execute=$'\2'
__codecell_count=0    # of cells
__codecell_done=()    # the last frame of a cell up to its request, and on
__codecell_status=0   # $? for the next cell
__codecell_letters=   # options of the user that are off between cells
__codecell_request=   # of the running cell, as printf writes it; '': none
__codecell_failure=() # command and line that set -e stopped at
__codecell_fed=0      # the cell has something to read
__codecell_restore=() # name, attributes and value before the cell, ...
__codecell_traps=()   # what stood before ERR and INT, while set -e is followed

# ---- frames ----

# The wire gives a byte that is 0 only as the end of a `read -d ''`: a piece
# shorter than what was asked for ends in one. A read of a socket by bash takes
# what was asked for, never more.

# Add what the characters of $1 stand for to __codecell_number, from bit $2 on.
__codecell_add()
{
  builtin local i octet shift="$2"
  for ((i = 0; i < ${#1}; i++)); do
    builtin printf -v octet %d "'${1:i:1}"
    ((__codecell_number |= (octet & 255) << shift, shift += 8))
  done
}

# The next $1 bytes as a number, least first, from bit $2 on.
__codecell_read_number()
{
  builtin local left="$1" shift="$2" piece
  while ((left > 0)); do
    builtin read -r -d '' -n "$left" -u 240 piece || builtin exit 0
    __codecell_add "$piece" "$shift"
    ((left -= ${#piece} + 1, shift += 8 * (${#piece} + 1)))
  done
}

# The size and the kind of the next frame.
__codecell_read_head()
{
  builtin local -a pieces
  __codecell_number=0
  __codecell_read_number 4 0
  size=$__codecell_number
  builtin mapfile -t -d '' -n 3 -u 240 pieces
  kind=${pieces[0]}
  __codecell_read_bytes 8
}

# The name and the size of the next part.
__codecell_read_part_head()
{
  builtin local -a pieces
  builtin mapfile -t -d '' -n 4 -u 240 pieces
  builtin printf -v size %d "'${pieces[0]}"
  name=${pieces[3]:0:size} pieces=("${pieces[3]:size}")
  __codecell_number=0
  __codecell_add "${pieces[0]}" 0
  __codecell_read_number $((3 - ${#pieces[0]})) $((8 * (${#pieces[0]} + 1)))
  size=$__codecell_number
}

# The next bytes as printf writes them; in __codecell_bytes.
__codecell_read_bytes()
{
  builtin local left="$1" piece
  __codecell_bytes=
  while ((left > 0)); do
    builtin read -r -d '' -n "$left" -u 240 piece || builtin exit 0
    ((left -= ${#piece}))
    piece=${piece//\\/\\\\}
    __codecell_bytes+=${piece//%/%%}
    if ((left > 0)); then
      __codecell_bytes+='\x00'
      ((left -= 1))
    fi
  done
}

# Write a frame in the C locale: kind, request as printf writes it, name, value, ...
__codecell_write()
{
  builtin local kind="$1" request="$2" payload= number value size=0
  builtin shift 2
  for value; do
    builtin printf -v number '\\x%02x\\x%02x\\x%02x\\x00' \
      $((${#value} & 255)) $((${#value} >> 8 & 255)) $((${#value} >> 16 & 255))
    ((size += 4 + ${#value}))
    value=${value//\\/\\\\}
    payload+=$number${value//%/%%}
  done
  builtin printf -v number '\\x%02x\\x%02x\\x%02x\\x00\\x%02x\\x00\\x00\\x00' \
    $((size & 255)) $((size >> 8 & 255)) $((size >> 16 & 255)) "$kind"
  # shellcheck disable=SC2059
  builtin printf "$number$request$payload" >&245
}

# ---- what a cell is given ----

# Set "NAME=value" in the environment; in a frame of a cell: for it alone.
__codecell_export()
{
  [[ ${1%%=*} == [A-Za-z_]*([A-Za-z0-9_]) ]] || return
  if [[ $kind == "$__codecell_execute" ]]; then
    builtin local -n __codecell_variable="${1%%=*}"
    __codecell_restore+=("${1%%=*}"
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
    # shellcheck disable=SC2059
    builtin printf -v text "${__codecell_bytes%$'\n'}"
    \exec 244<<<"$text"
  else
    # shellcheck disable=SC2059
    \exec 244< <(builtin printf "$__codecell_bytes")
  fi
}

# Read the parts of a frame.
__codecell_read_parts()
{
  builtin local left="$size" name size
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
          __codecell_fed=1
        fi
        ;;
    esac
  done
}

# ---- the end of a script, which is not that of a session ----

# Code that may use `set -e`, `set -u` or ${name:?} is known by its text: what
# is done for it costs time, and shows in what `trap -p` prints.

# With set -e a command that fails ends a shell. It comes to this trap first,
# which stops the cell as an interrupt does.
__codecell_failed()
{
  if [[ $- == *e* && $BASHPID == "$$" ]]; then
    __codecell_failure=("$@" "$(builtin trap -p INT)")
    builtin set +e
    builtin trap - INT
    builtin kill -INT "$$"
  fi
}

# $1: options of the user.
__codecell_follow()
{
  builtin local -a words
  builtin local user=
  __codecell_traps=("$(builtin trap -p ERR)" "${1//[!E]/}")
  builtin eval "words=(${__codecell_traps[0]})"
  if [[ ${words[2]-} ]]; then
    user="__codecell_return \"\$__codecell_status\" && :"$'\n'"${words[2]}"
    [[ $1 == *E* ]] || user="((\${#FUNCNAME[@]})) || {"$'\n'"$user"$'\n}'
  fi
  builtin trap "__codecell_status=\$? __codecell_line=\$LINENO
$user
__codecell_failed \"\$__codecell_status\" \"\$__codecell_line\" \"\$BASH_COMMAND\"" ERR
  builtin set -E
}

# After the cell: the user's traps again, unless the cell has set others.
__codecell_unfollow()
{
  if [[ "$(builtin trap -p ERR)" == *$'\n__codecell_failed '* ]]; then
    builtin trap - ERR
    builtin eval "${__codecell_traps[0]}"
  fi
  if [[ ! ${__codecell_traps[1]} ]]; then
    __codecell_letters=${__codecell_letters//E/}
  fi
  __codecell_traps=()
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

# Wait for a cell, which is left in __codecell_code.
__codecell_take()
{
  builtin local status="$?" LC_ALL=C IFS= kind= request size
  [[ ! $__codecell_request ]] || __codecell_give "$status" abandoned
  while [[ $kind != "$__codecell_execute" ]]; do
    __codecell_read_head
    request=$__codecell_bytes
    __codecell_read_parts
  done
  ((__codecell_count += 1))
  __codecell_request=$request
  # The reader loop leaves an array that takes no values.
  builtin unset -v PIPESTATUS
  __codecell_prepare
  builtin return "$__codecell_status"
}

# Put the options back, except e, which is only for the code.
__codecell_prepare()
{
  builtin local letters="$__codecell_letters" rest="$__codecell_code" coming=
  [[ $rest != *nounset* && $rest != *':?'* ]] || coming+=u
  [[ $rest != *errexit* ]] || coming+=e
  while [[ $rest == *'set -'* ]]; do
    rest=${rest#*set -}
    coming+=${rest%%[!a-zA-Z]*}
  done
  [[ $letters$coming != *u* ]] || __codecell_wrap
  [[ $letters$coming != *e* ]] || __codecell_follow "$letters"
  [[ $letters != *e* ]] || __codecell_code="\\builtin set -e; $__codecell_code"
  letters=${letters//e/}
  [[ ! $letters ]] || builtin set "-$letters"
}

# The frame that ends a cell, for counts of as many digits.
__codecell_prepare_done()
{
  builtin local digits="${#__codecell_count}"
  __codecell_done[2]=$digits
  builtin printf -v __codecell_done[0] '\\x%02x\\x00\\x00\\x00\\x13\\x00\\x00\\x00' \
    $((23 + digits))
  builtin printf -v __codecell_done[1] '\\x0f\\x00\\x00\\x00%s\\x%02x\\x00\\x00\\x00' \
    execution_count "$digits"
}

# Tell how the cell ended: its status, and what else is known of its end.
__codecell_give()
{
  builtin local -a error
  builtin local status="$1" LC_ALL=C
  error=()
  __codecell_letters=${-//[!aefuvxET]/}
  builtin set +aefuvxET
  [[ $__codecell_request ]] || builtin return 0
  if ((${#__codecell_traps[@]})); then
    __codecell_unfollow
  fi
  if ((${#__codecell_failure[@]})); then
    status=${__codecell_failure[0]} __codecell_letters+=e
    error=(ExitError "line ${__codecell_failure[1]}: ${__codecell_failure[2]:0:1000}" \
      "${__codecell_failure[1]}")
    builtin eval "${__codecell_failure[3]}"
    __codecell_failure=()
  elif [[ ${2-} == abandoned ]]; then
    status=130
  elif ((status == 2)); then
    __codecell_check_syntax
  fi
  __codecell_status=$status
  if ((${#__codecell_restore[@]})); then
    __codecell_restore_variables
  fi
  if ((__codecell_fed)); then
    __codecell_fed=0
    \exec 244</dev/null
  fi
  if ((status)); then
    __codecell_complain
  fi
  if ((${#__codecell_count} != __codecell_done[2])); then
    __codecell_prepare_done
  fi
  # shellcheck disable=SC2059
  builtin printf \
    "${__codecell_done[0]}$__codecell_request${__codecell_done[1]}$__codecell_count" >&245
  __codecell_request=
  builtin printf '\\:\n' >&243
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
  builtin local what="the last command ended with status $status" signal
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

builtin readonly -f __codecell_add __codecell_read_number __codecell_read_head \
  __codecell_read_part_head __codecell_read_bytes __codecell_write \
  __codecell_export __codecell_restore_variables __codecell_feed __codecell_read_parts \
  __codecell_failed __codecell_follow __codecell_unfollow __codecell_wrap \
  __codecell_return __codecell_take __codecell_prepare __codecell_prepare_done __codecell_give \
  __codecell_check_syntax __codecell_complain

__codecell_write 16 '\x00\x00\x00\x00\x00\x00\x00\x00' \
  language bash version "${BASH_VERSION%%(*}" executable "$BASH"
# `!` keeps the user's trap on ERR from hearing of the eval as well.
PROMPT_COMMAND='\__codecell_take && \: ; ! \builtin eval "$__codecell_code" 0<&244 1>&241 2>&242 \
240<&244 241<&244 242<&244 243<&244 245<&244; \__codecell_give "${PIPESTATUS[0]:-1}"'
builtin readonly PROMPT_COMMAND
# What bash expands before it runs a line: without it lines of cells would be
# counted from the first line of the session.
PS0='$((LINENO = 1))'
