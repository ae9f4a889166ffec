{{/*
What the load tests measured of a pod like the pool's, from their capacity.json: its entry for the pool's task, profile
and instance count, as JSON; `{}` where no file is given and `required` is not set. A file without such an entry is an error
for whoever rests on it: guesses in place of figures that were given would not be noticed. Arguments: root, pool, required.
*/}}
{{- define "fovea.capacity" -}}
{{- $sizing := .pool.sizing -}}
{{- $task := default (include "fovea.task" .root) $sizing.task -}}
{{- $wanted := printf "%s/%s/%d" $task .pool.profile (int $sizing.instances) -}}
{{- $found := dict -}}
{{- $known := list -}}
{{- if $sizing.capacity -}}
{{- $document := include "fovea.capacityDocument" $sizing.capacity | fromJson -}}
{{- range $entry := $document.capacities -}}
{{- if $entry.interval_rps -}}
{{- $name := printf "%s/%s/%d" $document.task $entry.profile (int $entry.instances) -}}
{{- $known = append $known $name -}}
{{- if eq $name $wanted -}}{{- $found = $entry -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .required (not $sizing.capacity) -}}
{{- fail (printf "pool %s: sizing.requestsPerSecond needs the load tests' figures: --set-file sizing.capacity=capacity.json" .pool.name) -}}
{{- end -}}
{{- $rests := and $sizing.capacity (include "fovea.scalesByCapacity" .pool) -}}
{{- if and (or .required $rests) (not $found) -}}
{{- fail (printf "pool %s: capacity.json has no capacity of %s (task/profile/instances); it has %s; measure it with `python -m loadtests capacity`, say the pool's sizing.instances, or empty its sizing.capacity" .pool.name $wanted (join ", " $known | default "none")) -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* Whether the pool's autoscaler takes a target from the file. Argument: a pool. */}}
{{- define "fovea.scalesByCapacity" -}}
{{- $keda := .autoscaling.keda -}}
{{- if eq .autoscaling.type "keda" -}}
{{- range list $keda.requestsPerSecond $keda.pendingRequests $keda.queueMilliseconds -}}
{{- if kindIs "invalid" . -}}true{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "fovea.capacityDocument" -}}
{{- $document := fromJson . -}}
{{- if ne (toString $document.schema) "fovea.capacity/1" -}}
{{- fail "sizing.capacity is not a capacity.json of `python -m loadtests capacity` (schema fovea.capacity/1): --set-file sizing.capacity=capacity.json" -}}
{{- end -}}
{{- toJson $document -}}
{{- end -}}

{{/* Requests a second to give a pod: the lower end of its capacity's interval, less what is kept for bursts. 0: not measured. */}}
{{- define "fovea.targetRate" -}}
{{- $entry := include "fovea.capacity" . | fromJson -}}
{{- if $entry -}}{{- mulf (float64 (first $entry.interval_rps)) (float64 .pool.sizing.utilization) -}}{{- else -}}0{{- end -}}
{{- end -}}

{{/* A little less than the quotient is taken up: 2 × the target needs two pods, whatever rounding makes of it. */}}
{{- define "fovea.sizedReplicas" -}}
{{- $rate := include "fovea.targetRate" (merge (dict "required" true) .) | float64 -}}
{{- max 1 (subf (divf (float64 .pool.sizing.requestsPerSecond) $rate) 0.000001 | ceil | int) | add (int .pool.sizing.spare) -}}
{{- end -}}
