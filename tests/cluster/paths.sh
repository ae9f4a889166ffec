# Sourced by every script here: where the cluster lives, and how one of them speaks. FOVEA_CLUSTER moves it.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
home=${FOVEA_CLUSTER:-$HOME/.cache/fovea-cluster}
state=$home/state
export here home state PATH="$home/bin:$PATH"

say() { echo "cluster: $*" >&2; }
fail() { echo "error: $*" >&2; exit 1; }

# The namespaces' first process: the child of the `unshare` that `up` started.
first_process() {
  local outer children
  outer=$(cat "$state/pid" 2>/dev/null) || return 1
  children=$(cat "/proc/$outer/task/$outer/children" 2>/dev/null) || return 1
  [ -n "${children%% *}" ] && echo "${children%% *}"
}
