#!/usr/bin/env bash
# Starts the server: start.sh <command>…
# /dev/shm outlives a restart of the container, and with it what a killed server left there: that memory is still counted.
set -euo pipefail
find /dev/shm -mindepth 1 -delete
exec "$@"
