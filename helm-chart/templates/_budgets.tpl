{{/* Minutes that `helm test` may take: its Jobs' deadlines and a little more. */}}
{{- define "fovea.testMinutes" -}}
{{- $pool := include "fovea.firstPool" . | fromYaml -}}
{{- $load := and .Values.loadTest.enabled .Values.loadTest.helmTest | ternary (include "fovea.loadTestSeconds" .) 0 -}}
{{- divf (add (include "fovea.answerSeconds" $pool | int) (int $load)) 60.0 | ceil | int | add1 -}}
{{- end -}}

{{/* Seconds of the Job that asks whether the release answers; they count from its start, and the image may have to be pulled. */}}
{{- define "fovea.answerSeconds" -}}
{{- add 60 (int .rollout.pullSeconds) -}}
{{- end -}}

{{/*
How long a pod may take to become ready, from one set of budgets. YAML: startupFailures, startSeconds,
progressDeadlineSeconds. Engines are built in an init container, before the startup probe counts, so their budget is
part of the start and of the rollout's deadline and not of the probe. Arguments: root, pool.
*/}}
{{- define "fovea.budgets" -}}
{{- $startup := .root.Values.probes.startup -}}
{{- $rollout := .pool.rollout -}}
{{- $build := ternary (int .pool.engines.buildSeconds) 0 .pool.engines.enabled -}}
{{- $failures := divf (float64 $startup.loadSeconds) (float64 $startup.periodSeconds) | ceil | int -}}
{{- $load := mul $failures (int $startup.periodSeconds) | int -}}
{{- $fetch := int $rollout.pullSeconds -}}
{{- $start := add $fetch $build $load | int -}}
{{- $drain := include "fovea.drain" .root | fromYaml -}}
{{- $grace := ternary (int $drain.terminationGracePeriodSeconds) 0 (eq $rollout.strategy "replace") -}}
{{- $needed := add $start $grace | int -}}
{{- $deadline := ternary $needed (int $rollout.progressDeadlineSeconds) (kindIs "invalid" $rollout.progressDeadlineSeconds) -}}
{{- if lt $deadline $needed -}}
{{- fail (printf "pool %s: rollout.progressDeadlineSeconds %d is too short: rollout.pullSeconds %d + engines.buildSeconds %d + probes.startup %d + the old pod's grace (replace) %d = %d s" .pool.name $deadline $fetch $build $load $grace $needed) -}}
{{- end -}}
startupFailures: {{ $failures }}
startSeconds: {{ $start }}
progressDeadlineSeconds: {{ $deadline }}
{{- end -}}
