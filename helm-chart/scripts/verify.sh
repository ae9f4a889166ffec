#!/usr/bin/env bash
# Refuses a release that is not the one that was placed:
#
#   verify.sh [--plans-are-rebuilt] <folder> <digest of SHA256SUMS or ""> <task>…
#
# Runs before the server starts, over the very files that it will load. The format is sha256sum's own.
# --plans-are-rebuilt: build-engines.sh comes next and deletes every plan. When a node restarts, the pod's containers run
# again over the same copy, in which the plans of the first time lie.
set -euo pipefail
ignored='^$'
if [ "$1" = --plans-are-rebuilt ]; then
  ignored='\.plan(\.partial)?$'
  shift
fi
folder=$1 digest=$2
shift 2
fail() { echo "verify: $*" >&2; exit 1; }

cd "$folder" 2> /dev/null || fail "there is no folder $folder; is modelRepository.path right?"
[ -f SHA256SUMS ] || fail "$folder has no SHA256SUMS: it is not a release of \`python -m export\`"
found=$(sha256sum SHA256SUMS | cut -d ' ' -f 1)
[ -z "$digest" ] || [ "$found" = "$digest" ] || fail "the release is $found, not modelRepository.digest $digest"
sha256sum --check --quiet --strict SHA256SUMS >&2 || fail "the files named above are not those that were placed"
unlisted=$(LC_ALL=C comm -13 <(sed 's/^[0-9a-f]*  //' SHA256SUMS | LC_ALL=C sort) \
  <(find . ! -type d ! -path ./SHA256SUMS -printf '%P\n' | LC_ALL=C sort) | sed -E "/$ignored/d" | sed -n 1,5p)
[ -z "$unlisted" ] || fail "files that no checksum covers: $(echo "$unlisted" | tr '\n' ' ')"
for task in "$@"; do
  [ -f "$task/config.pbtxt" ] || fail "the release has no model $task, which \`tasks\` names"
done
echo "release ${found:0:16}: every file is as placed"
