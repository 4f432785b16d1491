# The cells of the bash kernel: one text with bash.sh, which comes before this.

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
  builtin local LC_ALL=C IFS= kind= request size piece
  if [[ $__codecell_request ]]; then # the cell came to no end
    __codecell_status=130 __codecell_letters=$-
    builtin set +e -E
    __codecell_give
  fi
  # An interrupt would take away what a command has read: it is not heard here.
  # The library repeats one that does not end the cell.
  builtin trap '' INT
  while [[ $kind != "$__codecell_execute" ]]; do
    __codecell_read_frame_head
    builtin read -r -d '' -n 8 -u 240 piece || builtin exit 0
    request=${piece//\\/\\\\}
    if ((${#piece} < 8)); then # a 0 is in it
      __codecell_read_bytes "$((7 - ${#piece}))"
      request+='\x00'$__codecell_bytes
    fi
    __codecell_read_parts
  done
  ((__codecell_count += 1))
  __codecell_request=$request
  builtin trap - INT
  [[ ! $__codecell_trapped ]] || builtin eval "$__codecell_trapped"
  # The reader loop leaves an array that takes no values.
  builtin unset -v PIPESTATUS
  __codecell_coming=$__codecell_letters
  case $__codecell_code in
    *nounset* | *':?'* | *errexit* | *'set -'* | *trap* | *'. '* | *source*)
      __codecell_look
      ;;
  esac
  # A shell that ends has left the cell, and so what the eval was given.
  [[ ! $__codecell_ends ]] || \exec 1>&241 2>&242
  [[ $__codecell_coming != *e* ]]
}

# Which options the code may set, and whether traps; a file that it reads may too.
__codecell_look()
{
  builtin local rest="$__codecell_code"
  [[ $rest != *EXIT* ]] || __codecell_ends=1
  if [[ $rest == *trap* ]]; then
    __codecell_asks=always
  elif [[ $rest == *'. '* || $rest == *source* ]]; then
    __codecell_asks=${__codecell_asks:-once}
  fi
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

# Keep the trap that the user has on INT.
__codecell_ask()
{
  __codecell_trapped=$(builtin trap -p INT)
  [[ $__codecell_asks == always || $__codecell_trapped ]] || __codecell_asks=
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
  [[ ! $__codecell_asks ]] || __codecell_ask
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

builtin readonly -f __codecell_read_number __codecell_read_frame_head \
  __codecell_split_frame_head __codecell_read_part_head \
  __codecell_read_bytes __codecell_write \
  __codecell_export __codecell_restore_variables __codecell_feed __codecell_read_parts \
  __codecell_failed __codecell_compose __codecell_replace __codecell_follow \
  __codecell_unfollow __codecell_wrap \
  __codecell_return __codecell_take __codecell_look \
  __codecell_set __codecell_prepare __codecell_prepare_done __codecell_ask \
  __codecell_give __codecell_tidy __codecell_check_syntax __codecell_complain

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
