{{/* A Kubernetes quantity of memory in MiB, rounded up: `1536Mi`, `1.5Gi`, `2G`, `512M`. */}}
{{- define "fovea.mebibytes" -}}
{{- $text := toString . -}}
{{- $number := regexFind "^[0-9]+([.][0-9]+)?" $text | float64 -}}
{{- $unit := regexReplaceAll "^[0-9]+([.][0-9]+)?" $text "" -}}
{{- $bytes := dict "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 "k" 1000.0 "M" 1000000.0 "G" 1000000000.0 "T" 1000000000000.0 "" 1.0 -}}
{{- if or (not (regexMatch "^[0-9]+([.][0-9]+)?" $text)) (not (hasKey $bytes $unit)) -}}
{{- fail (printf "memory %q is no quantity such as 512Mi or 2Gi" $text) -}}
{{- end -}}
{{- divf (mulf $number (get $bytes $unit)) 1048576.0 | ceil | int -}}
{{- end -}}

{{/*
A pool's resources: what it asks for, its GPUs, memory for the processes and for /dev/shm, which is the same memory, and
disk for logs, /tmp, its copy of the release and plans that it keeps nowhere else.
Arguments: root, pool.
*/}}
{{- define "fovea.resources" -}}
{{- $pool := .pool -}}
{{- $process := include "fovea.mebibytes" $pool.memory.process | int -}}
{{- $shared := include "fovea.mebibytes" $pool.memory.shared | int -}}
{{- $sum := add $process $shared -}}
{{- $requests := deepCopy (default dict $pool.resources.requests) -}}
{{- $limits := deepCopy (default dict $pool.resources.limits) -}}
{{- with $limits.memory -}}
{{- if lt (include "fovea.mebibytes" . | int) (int $sum) -}}
{{- fail (printf "pool %s: the memory limit %s is too small: processes %s + /dev/shm %s = %dMi; raise the limit or leave it out" $pool.name . $pool.memory.process $pool.memory.shared (int $sum)) -}}
{{- end -}}
{{- end -}}
{{- if not (hasKey $limits "memory") -}}{{- $_ := set $limits "memory" (printf "%dMi" (int $sum)) -}}{{- end -}}
{{- if not (hasKey $requests "memory") -}}{{- $_ := set $requests "memory" $limits.memory -}}{{- end -}}
{{- $disk := 1024 -}}
{{- if eq (include "fovea.copies" $pool) "true" -}}{{- $disk = add $disk (include "fovea.mebibytes" $pool.modelRepository.sizeLimit | int) -}}{{- end -}}
{{- if and $pool.engines.enabled (eq $pool.engines.cache.type "emptyDir") -}}{{- $disk = add $disk (include "fovea.mebibytes" $pool.engines.cache.size | int) -}}{{- end -}}
{{- if not (hasKey $limits "ephemeral-storage") -}}{{- $_ := set $limits "ephemeral-storage" (printf "%dMi" (int $disk)) -}}{{- end -}}
{{- if not (hasKey $requests "ephemeral-storage") -}}{{- $_ := set $requests "ephemeral-storage" (get $limits "ephemeral-storage") -}}{{- end -}}
{{- if gt (int $pool.gpu.count) 0 -}}
{{- $_ := set $requests $pool.gpu.resourceName (int $pool.gpu.count) -}}
{{- $_ := set $limits $pool.gpu.resourceName (int $pool.gpu.count) -}}
{{- end -}}
{{- toYaml (dict "requests" $requests "limits" $limits) -}}
{{- end -}}
