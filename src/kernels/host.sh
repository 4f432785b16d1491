#!/bin/bash
# Call a function of the program that runs this sandbox, with arguments in JSON:
#
#   host tools.search '"x"' '{"limit": 3}'
#
# The result is JSON on standard output. If the call fails, its message is on
# standard error, and the status is 1. "-" stands for arguments that are read
# from standard input; without any words, what there is is listed.
LC_ALL=C # lengths are bytes

place=${CODECELL_HOST_URL#http://}
if [[ ! $place ]]; then
  echo "host: the host has exposed nothing" >&2
  exit 1
fi
if (($# == 0)); then
  method=GET path= body=
elif [[ $1 =~ ^[A-Za-z][A-Za-z0-9_]*\.[A-Za-z][A-Za-z0-9_]*$ ]]; then
  method=POST path=${1/.//} body=
  for value in "${@:2}"; do
    [[ $value == - ]] && value=$(cat)
    body+=${body:+,}$value
  done
  body="[$body]"
else
  echo "usage: host [NAME.FUNCTION [JSON]...]" >&2
  exit 2
fi

exec 3<>"/dev/tcp/${place%:*}/${place##*:}" || exit 1
printf '%s /%s HTTP/1.1\r\nHost: host\r\nAccept: text/plain\r\nConnection: close\r\n' \
  "$method" "$path" >&3
printf 'Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s' "${#body}" "$body" >&3
read -r _ status _ <&3
while read -r line <&3 && [[ $line != $'\r' ]]; do
  :
done
case $status in
200)
  cat <&3
  echo
  ;;
'')
  echo "host: the host does not answer" >&2
  exit 1
  ;;
*)
  cat <&3 >&2
  exit 1
  ;;
esac
