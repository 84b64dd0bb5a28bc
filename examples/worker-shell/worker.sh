#!/bin/sh
# A QScaler worker on the drain file alone: a POSIX shell, redis-cli 7 or newer, and coreutils.
#
# The pod is the lease: what the list {queue}:processing:<POD_NAME> holds is this pod's to finish, whichever
# process put it there. So the worker looks at that list before it takes anything new. That one rule covers a
# crash of the process, a lost reply and a restart of Redis alike.
#
# It reaches one server, at QSCALER_BROKER_ADDRESS. It asks no Sentinel, and follows no slot of a Redis Cluster.
#
# A payload is never in a variable, which could hold neither a NUL byte nor a trailing newline: it is in a file.
set -u
: "${QSCALER_QUEUE:?}" "${QSCALER_BROKER_ADDRESS:?}" "${POD_NAME:?}" "${QSCALER_DRAIN_FILE:=/etc/qscaler/drain}"

# SIGTERM never interrupts a task: the shell runs the trap between two commands.
terminated=
trap 'terminated=yes' TERM

# handle does one task, the payload in the file $1. YOUR WORK GOES HERE; this one sleeps and tells.
# It returns when the task is done. It may be called twice for one task, if the process or the pod was killed
# in between.
handle() {
  demo_task "$1"
  tell started "$id"
  sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
  tell 'done' "$id"
}

# demo_task reads {"id":"t-17","ms":1500}, in one line. Anything else is a task of 0 ms whose id is the payload,
# quoted: the first 80 bytes; what is not printable ASCII, quotes and backslashes become \xHH.
demo_task() {
  id=$(sed -n '1s/^{.*"id": *"\([A-Za-z0-9._:-]\{1,\}\)".*}$/\1/p' "$1")
  ms=$(sed -n '1s/^{.*"ms": *\([1-9][0-9]\{0,9\}\)[ ,}].*$/\1/p' "$1")
  ms=${ms:-0}
  [ -n "$id" ] && return
  ms=0
  id=\"$(head -c 80 "$1" | od -An -v -tu1 | awk '{
    for (i = 1; i <= NF; i++) printf($i < 32 || $i > 126 || $i == 34 || $i == 92 ? "\\x%02x" : "%c", $i)
  }')\"
}

# tell writes one line in one write call, so that lines of several workers never mix.
tell() { printf '%s %s %s\n' "$(date +%s%3N)" "$1" "$2"; }

# redis sends one command. Redis answers within the second of BLMOVE; a connection that hangs is given up.
# -e: an error reply is a failure. -D '': nothing is added to the payload. --foreground: a BLMOVE stays in the
# worker's process group and dies with it. What it complains of is kept for failed.
redis() {
  timeout --foreground 5 redis-cli -e -D '' -h "$host" -p "${QSCALER_BROKER_ADDRESS##*:}" -n "${QSCALER_BROKER_DATABASE:-0}" \
    ${QSCALER_BROKER_USERNAME:+--user "$QSCALER_BROKER_USERNAME"} ${secure:+--tls --sni "$name"} ${authorities:+--cacert "$authorities"} \
    ${insecure:+--insecure} ${QSCALER_BROKER_TLS_CERT_FILE:+--cert "$QSCALER_BROKER_TLS_CERT_FILE" --key "$QSCALER_BROKER_TLS_KEY_FILE"} "$@" 2>"$complaint"
  set -- "$?"
  cat "$complaint" >&2
  return "$1"
}
host=${QSCALER_BROKER_ADDRESS%:*} host=${host#[} host=${host%]}
# What it does not understand is an error: the password must not be sent in the clear instead. redis-cli compares no
# name with the certificate's: it accepts each certificate of the authorities.
secure= insecure= authorities=
case ${QSCALER_BROKER_TLS:-} in
  true) secure=yes name=${QSCALER_BROKER_TLS_SERVER_NAME:-$host} authorities=${QSCALER_BROKER_TLS_CA_FILE:-} ;;
  '' | false) ;;
  *) echo "QSCALER_BROKER_TLS is \"$QSCALER_BROKER_TLS\"; it must be true, false or empty" >&2; exit 1 ;;
esac
if [ -n "$secure" ] && [ "${QSCALER_BROKER_TLS_INSECURE_SKIP_VERIFY:-}" = true ]; then insecure=yes; fi
if [ -n "$secure" ] && [ -z "$authorities" ] && [ -n "${QSCALER_BROKER_TLS_CA:-}" ]; then
  authorities=$(mktemp) || exit 1
  printf '%s\n' "$QSCALER_BROKER_TLS_CA" >"$authorities"
fi
if [ -n "${QSCALER_BROKER_PASSWORD:-}" ]; then
  export REDISCLI_AUTH="$QSCALER_BROKER_PASSWORD" # not an argument, which other processes could read
fi

# take moves the next task into this pod's list, or waits for 1 s. Redis above its maxmemory refuses BLMOVE. A script
# may move a task there once it has written something, and RPOP counts as that though it takes no task here.
take() {
  redis BLMOVE "$QSCALER_QUEUE" "$processing" RIGHT LEFT 1 >/dev/null && return
  grep -q 'OOM ' "$complaint" || return
  taken=$(redis EVAL "$take_when_full" 2 "$QSCALER_QUEUE" "$processing") || return
  if [ "$taken" = 0 ]; then sleep 1; fi
}
take_when_full="redis.call('RPOP', KEYS[1], 0)
return redis.call('LMOVE', KEYS[1], KEYS[2], 'RIGHT', 'LEFT') and 1 or 0"

# may_leave: did the operator, or a SIGTERM, tell the worker to leave? The file is opened by path each time,
# because the kubelet replaces it. A file that cannot be read is no grant.
may_leave() { [ -n "$terminated" ] || grep -q '' "$QSCALER_DRAIN_FILE" 2>/dev/null; }

# failed waits after an error: longer than the 1 s for which a BLMOVE whose connection broke may still be
# blocked in Redis, so that the next look at the list sees what it moved.
failed() {
  failures=$((failures + 1))
  # The password is a variable: only another process can have the present one.
  if ! grep -q 'WRONGPASS\|NOAUTH' "$complaint"; then
    refused_since=
  elif [ -z "$refused_since" ]; then
    refused_since=$(date +%s)
  elif [ "$(($(date +%s) - refused_since))" -ge "$refused_for" ]; then
    echo "Redis has refused the password for $refused_for s, and a restart may have another" >&2
    exit 1
  fi
  if [ "$failures" -lt 4 ]; then sleep "$((failures * 3 / 2)).5"; else sleep 5; fi
}
refused_for=60 # seconds for which Redis may refuse the password with each answer

# succeeded starts the counts anew.
succeeded() { failures=0 refused_since=; }
succeeded

# The keys of a queue share its hash tag; a name that has one of its own keeps it.
case ${QSCALER_QUEUE#*\{} in
  "$QSCALER_QUEUE" | \}*) tagged="{$QSCALER_QUEUE}" ;;
  *\}*) tagged=$QSCALER_QUEUE ;;
  *) tagged="{$QSCALER_QUEUE}" ;;
esac
processing=$tagged:processing:$POD_NAME
task=$(mktemp) || exit 1
complaint=$(mktemp) || exit 1
trap 'rm -f "$task" "$complaint"' EXIT

while :; do
  # A task that is taken is not even read: the list tells what this pod holds, an empty payload included.
  if ! held=$(redis LLEN "$processing"); then
    # One failure may be a lost reply, with a task in our list: look again first.
    if [ "$failures" -gt 0 ] && may_leave; then exit 0; fi
    failed
  elif [ "$held" = 0 ]; then
    if may_leave; then exit 0; fi
    if take; then succeeded; else failed; fi
  elif redis LINDEX "$processing" -1 >"$task"; then
    handle "$task"
    # A finished task must be acknowledged, or it is done twice: this is tried until Redis answers.
    until redis -x LREM "$processing" 1 <"$task" >/dev/null; do failed; done
    succeeded
  else
    failed
  fi
done
