{{/*
A rules file of the chart with this release's names in it. The files hold Prometheus' own templates, so names are put in
by replacing @WORDS@. Arguments: root, file.
*/}}
{{- define "fovea.rules" -}}
{{- $name := include "fovea.fullname" .root -}}
{{- $rule := .root.Values.observability.prometheusRule -}}
{{- $namespace := printf "namespace=\"%s\"" .root.Release.Namespace -}}
{{- $pools := join "|" (include "fovea.poolNames" .root | fromJson).names -}}
{{- $pods := printf "%s,pod=~\"%s-(%s)-[a-z0-9]+-[a-z0-9]{5}\"" $namespace $name $pools -}}
{{- $deployments := printf "%s,deployment=~\"%s-(%s)\"" $namespace $name $pools -}}
{{- $autoscalers := printf "%s,horizontalpodautoscaler=~\"(keda-hpa-)?%s-(%s)\"" $namespace $name $pools -}}
{{- .root.Files.Get (printf "rules/%s.yaml" .file)
  | replace "@SERIES@" $pods
  | replace "@RELEASE@" (printf "release=\"%s\",%s" .root.Release.Name $namespace)
  | replace "@DEPLOYMENTS@" $deployments
  | replace "@AUTOSCALERS@" $autoscalers
  | replace "@DRIFT@" (printf "%s,cronjob=\"%s-drift\"" $namespace $name)
  | replace "@DRIFT_MINUTES@" (divf (int .root.Values.drift.deadlineSeconds) 60.0 | ceil | int | add 5 | toString)
  | replace "@TASKS@" (join "|" .root.Values.tasks)
  | replace "@NAME@" $name
  | replace "@ERROR_RATIO@" (toString $rule.errorRatio)
  | replace "@QUEUE_MILLISECONDS@" (toString $rule.queueMilliseconds)
  | replace "@PENDING_REQUESTS@" (toString $rule.pendingRequests)
  | replace "@LATENCY_SECONDS@" (toString $rule.latencySeconds)
  | replace "@SLOW_RATIO@" (toString $rule.slowRatio)
  | replace "@REFERENCE_DAYS@" (toString $rule.referenceDays)
  | replace "@TASK_COUNT@" (len .root.Values.tasks | toString)
  | replace "@START_MINUTES@" (include "fovea.startMinutes" .root) -}}
{{- end -}}

{{/* The longest that any pool's pods may take to start, and a little more. */}}
{{- define "fovea.startMinutes" -}}
{{- $longest := 0 -}}
{{- range $name := (include "fovea.poolNames" . | fromJson).names -}}
{{- $pool := include "fovea.pool" (dict "root" $ "name" $name) | fromYaml -}}
{{- $longest = max $longest (int (include "fovea.budgets" (dict "root" $ "pool" $pool) | fromYaml).startSeconds) -}}
{{- end -}}
{{- divf $longest 60.0 | ceil | int | add1 -}}
{{- end -}}
