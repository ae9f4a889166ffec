#!/usr/bin/env bash
# Puts a TensorRT plan for this node's GPU beside each model that has a build script:
#
#   build-engines.sh <model repository, writable> <cache> <budget in seconds>
#
# The release's build_plan.sh keys a plan by ONNX digest, TensorRT version, GPU model and MIG slice, compute capability,
# profile and flags, takes it from the cache or builds it. Here is what a cluster adds: plans that lie there are dropped
# (they may be another GPU's, and verify.sh let them pass), one builder a model and GPU at a time, and an end to waiting.
set -euo pipefail
models=$1 cache=$2 budget_s=$3
fail() { echo "build-engines: $*" >&2; exit 1; }

# What a model may still take. Refused when that is nothing: to `timeout` 0 seconds are no limit at all.
left_s() {
  local left=$((budget_s - SECONDS))
  [ "$left" -gt 0 ] || fail "$1: engines.buildSeconds = $budget_s s are used up before its turn; raise it." \
    "The plans that are built stay in the cache"
  echo "$left"
}

command -v nvidia-smi > /dev/null || fail "no NVIDIA driver here; does the pool ask for a GPU (gpu.count)?"
# Kubernetes gives a volume to fsGroup, but never a folder of the node.
[ -w "$cache" ] || fail "user $(id -u) may not write the cache $cache; a claim needs podSecurityContext.fsGroup; for" \
  "type hostPath make the folder on each node: install -d -o $(id -u) -g $(id -g) <engines.cache.hostPath>"
gpu=$(nvidia-smi --id=0 --query-gpu=name --format=csv,noheader)
[ -n "$gpu" ] || fail "nvidia-smi names no GPU"
# In a MIG slice that is the whole GPU's name; its plans are others, so its builders need not wait for each other.
slice=$(nvidia-smi -L | sed -n '/^GPU 0:/,/^GPU 1:/s/^ *MIG  *\([^ ]*\).*/\1/p')
gpu=$(tr -c 'A-Za-z0-9\n' '_' <<< "$gpu${slice:+ MIG ${slice%%$'\n'*}}")
find "$models" '(' -name '*.plan' -o -name '*.plan.partial' ')' -delete
# What a builder left that was killed. One at work may be older than this pod, but not than its budget.
find "$cache" -maxdepth 1 -name '*.partial' -mmin "+$((budget_s / 60 + 1))" -delete

built=0
for script in "$models"/*/[0-9]*/build_plan.sh; do
  [ -f "$script" ] || continue
  version=$(dirname "$script")
  model=$(basename "$(dirname "$version")")
  exec 9> "$cache/$gpu.$model.lock"
  left=$(left_s "$model")
  flock --wait "$left" 9 || fail "$model: another pod still builds it after $budget_s s; raise engines.buildSeconds"
  left=$(left_s "$model")
  PLAN_CACHE=$cache timeout --kill-after=10 "$left" bash "$script" "$version" ||
    fail "$model: no plan within engines.buildSeconds = $budget_s s, or it cannot be built (see above)"
  exec 9>&-
  built=$((built + 1))
done
[ "$built" -gt 0 ] || fail "the release has no build_plan.sh; export it with formats=[onnx_fp16,tensorrt]"
echo "build-engines: $built plans for $gpu in $SECONDS s"
