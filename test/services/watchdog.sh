#!/bin/sh
# Stops what a process started, however that process ends.
#
# Standard input is a pipe whose other end only the guarded process holds. When it closes (normal exit, SIGKILL, power
# of any kind over that process) every process listed in $1/processes gets its stop signal, later SIGKILL, and
# $1 is removed. A list entry is a file `<name>.<SIGNAL>` that holds a process id; the process wrote it itself before
# it became what it is (see guard.ts).
dir=$1

# A process that ended and that nobody has asked about yet (state Z) is gone for our purpose.
alive() {
  kill -0 "$1" 2>/dev/null && ! grep -q '^State:.*Z' "/proc/$1/status" 2>/dev/null
}

trap '' INT TERM HUP
cat >/dev/null

# From this rename on nobody can enter the list any more, and who cannot enter it does not start.
mv "$dir/processes" "$dir/stopping" 2>/dev/null

for entry in "$dir"/stopping/*; do
  [ -f "$entry" ] && kill -s "${entry##*.}" "$(cat "$entry")" 2>/dev/null
done

tries=0
while [ "$tries" -lt 50 ]; do
  left=0
  for entry in "$dir"/stopping/*; do
    [ -f "$entry" ] && alive "$(cat "$entry")" && left=1
  done
  [ "$left" = 0 ] && break
  sleep 0.1
  tries=$((tries + 1))
done

for entry in "$dir"/stopping/*; do
  [ -f "$entry" ] && kill -s KILL -- "-$(cat "$entry")" 2>/dev/null
done
rm -rf "$dir"
