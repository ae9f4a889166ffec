#!/usr/bin/env bash
# Asks this pod's Triton: ready.sh <HTTP port> <path>…; 0 if every path is answered with 200.
# Without curl, which not every image has. A probe's own timeout ends one that gets no answer.
set -euo pipefail
port=$1
shift
for path in "$@"; do
  exec 3<> "/dev/tcp/127.0.0.1/$port"
  printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$path" >&3
  IFS=' ' read -r _ status _ <&3
  exec 3>&-
  [ "$status" = 200 ] || { echo "$path: $status" >&2; exit 1; }
done
