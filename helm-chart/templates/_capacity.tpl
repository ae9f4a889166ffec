{{/*
Requests a second that a pod of the pool bears within its objective: the lower end of the interval that the load tests
measured, or their estimate where there is no interval. 0 where nothing was measured and `required` is not set.
Arguments: root, pool, required.
*/}}
{{- define "fovea.capacity" -}}
{{- $sizing := .pool.sizing -}}
{{- $task := default (include "fovea.task" .root) $sizing.task -}}
{{- $found := "0" -}}
{{- $known := list -}}
{{- if $sizing.capacity -}}
{{- range $entry := include "fovea.capacityEntries" $sizing.capacity | fromJsonArray -}}
{{- $known = append $known (printf "%s/%s/%d" $entry.task $entry.profile (int $entry.instances)) -}}
{{- if and (eq $entry.task $task) (eq $entry.profile $.pool.profile) (eq (int $entry.instances) (int $sizing.instances)) -}}
{{- $found = toString (ternary (first (default (list $entry.capacity_rps) $entry.interval_rps)) $entry.capacity_rps (gt (len (default list $entry.interval_rps)) 0)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .required (le (float64 $found) 0.0) -}}
{{- if $sizing.capacity -}}
{{- fail (printf "pool %s: capacity.json has no capacity of %s/%s/%d (task/profile/instances); it has %s; measure it with `python -m loadtests capacity`" .pool.name $task .pool.profile (int $sizing.instances) (join ", " $known)) -}}
{{- else -}}
{{- fail (printf "pool %s: sizing.requestsPerSecond needs the load tests' figures: --set-file sizing.capacity=capacity.json" .pool.name) -}}
{{- end -}}
{{- end -}}
{{- $found -}}
{{- end -}}

{{/* The entries of a capacity.json, which is a list of them or an object with the list `capacities`. */}}
{{- define "fovea.capacityEntries" -}}
{{- $read := fromJson . -}}
{{- if hasKey $read "capacities" -}}
{{- toJson $read.capacities -}}
{{- else -}}
{{- $entries := fromJsonArray . -}}
{{- if or (not $entries) (kindIs "string" (first $entries)) -}}
{{- fail "sizing.capacity is not a capacity.json of `python -m loadtests capacity`: neither a list nor an object with `capacities`" -}}
{{- end -}}
{{- toJson $entries -}}
{{- end -}}
{{- end -}}

{{/* What one pod is to be given: its capacity, less the share that is kept for bursts. 0: not known. */}}
{{- define "fovea.targetRate" -}}
{{- mulf (include "fovea.capacity" . | float64) (float64 .pool.sizing.utilization) -}}
{{- end -}}

{{- define "fovea.sizedReplicas" -}}
{{- $rate := include "fovea.targetRate" (merge (dict "required" true) .) | float64 -}}
{{- divf (float64 .pool.sizing.requestsPerSecond) $rate | ceil | int -}}
{{- end -}}
