# Sourced: OCI archives into a node's containerd. ctr complains of cgroup v1 on stderr at every call.

archive_index() { tar -xOf "$1" index.json; }
archive_name() { archive_index "$1" | sed -n 's/.*"org.opencontainers.image.ref.name":"\([^"]*\)".*/\1/p'; }
archive_digest() { archive_index "$1" | sed -n 's/.*"digest":"\(sha256:[0-9a-f]*\)".*/\1/p'; }

# import_images NODE ARCHIVE…: what is there already under the same digest costs nothing.
import_images() {
  local socket=$state/$1/containerd.sock archive name
  shift
  for archive in "$@"; do
    name=$(archive_name "$archive")
    ctr -a "$socket" -n k8s.io images import --digests=false "$archive" >/dev/null
    ctr -a "$socket" -n k8s.io images tag --force "$name" "${name%:*}@$(archive_digest "$archive")" >/dev/null
  done
}
