{{/* What tells of load. Sums over the pool's pods, and ratios of sums: an average of averages weighs an idle model like a busy one. */}}

{{/* Selects the pool's series; Prometheus has namespace and pod from the scrape. Arguments: root, pool. */}}
{{- define "fovea.series" -}}
namespace="{{ .root.Release.Namespace }}",pod=~"{{ include "fovea.fullname" .root }}-{{ .pool.name }}-[a-z0-9]+-[a-z0-9]{5}"
{{- end -}}

{{/*
Queries end empty, which is an error to KEDA and leads to its fallback, when the pods' metrics are missing: a broken scrape
must not look like no load. Only a pool that may be at zero, where there is nothing to scrape, answers 0 then.
*/}}
{{- define "fovea.orZero" -}}
{{- if eq (int .pool.autoscaling.minReplicas) 0 }} or vector(0){{- end -}}
{{- end -}}

{{/* Requests a second of the tasks, over the pool. */}}
{{- define "fovea.rateQuery" -}}
sum(rate(nv_inference_request_success{ {{- include "fovea.series" . -}} ,model=~"{{ join "|" .root.Values.tasks }}"}[{{ .pool.autoscaling.keda.window }}]))
{{- end -}}

{{/* Milliseconds that a caller's request waited in queues: of all its models, by the requests of the tasks; 0 without any. */}}
{{- define "fovea.queueQuery" -}}
{{- $requests := include "fovea.rateQuery" . -}}
sum(rate(nv_inference_queue_duration_us{ {{- include "fovea.series" . -}} }[{{ .pool.autoscaling.keda.window }}])) / 1000 / ({{ $requests }} > 0) or {{ $requests }} * 0
{{- end -}}

{{- define "fovea.pendingQuery" -}}
sum(nv_inference_pending_request_count{ {{- include "fovea.series" . -}} })
{{- end -}}

{{/* One Prometheus trigger. Arguments: pool, name, query, threshold, and optionally activation, metricType. */}}
{{- define "fovea.trigger" -}}
- type: prometheus
  name: {{ .name }}
  metricType: {{ default "AverageValue" .metricType }}
  metadata:
    serverAddress: {{ .pool.autoscaling.keda.prometheusAddress }}
    query: {{ print .query (include "fovea.orZero" .) | quote }}
    threshold: {{ .threshold | quote }}
    {{- if hasKey . "activation" }}
    activationThreshold: {{ .activation | quote }}
    {{- end }}
    ignoreNullValues: "false"
  {{- with .pool.autoscaling.keda.authenticationRef }}
  authenticationRef:
    name: {{ . }}
  {{- end }}
{{- end -}}

{{/* Requests a second a pod: given, or what the load tests measured. 0: not used. */}}
{{- define "fovea.rateTarget" -}}
{{- $given := .pool.autoscaling.keda.requestsPerSecond -}}
{{- if kindIs "invalid" $given -}}{{- include "fovea.targetRate" . -}}{{- else -}}{{- $given -}}{{- end -}}
{{- end -}}

{{/* Pending requests a pod, and milliseconds in queues: given, or measured at the target rate, or these. JSON. */}}
{{- define "fovea.queueTargets" -}}
{{- $keda := .pool.autoscaling.keda -}}
{{- $measured := default dict (include "fovea.capacity" . | fromJson).target -}}
{{- if and .pool.sizing.capacity (or (and (kindIs "invalid" $keda.pendingRequests) (kindIs "invalid" $measured.pending)) (and (kindIs "invalid" $keda.queueMilliseconds) (kindIs "invalid" $measured.queue_ms))) -}}
{{- fail (printf "pool %s: capacity.json says nothing of queues (Triton's statistics were refused while it was measured); measure with restrictedApis.apis without `statistics`, or give autoscaling.keda.pendingRequests and queueMilliseconds" .pool.name) -}}
{{- end -}}
{{- $milliseconds := 0.0 -}}
{{- range default dict $measured.queue_ms }}{{- $milliseconds = addf $milliseconds . -}}{{- end -}}
{{- $pending := ternary (max 1 (float64 (default 8 $measured.pending) | ceil)) $keda.pendingRequests (kindIs "invalid" $keda.pendingRequests) -}}
{{- $queue := ternary (ternary $milliseconds 50.0 (gt $milliseconds 0.0)) $keda.queueMilliseconds (kindIs "invalid" $keda.queueMilliseconds) -}}
{{- dict "pending" $pending "queue" $queue | toJson -}}
{{- end -}}

{{- define "fovea.triggers" -}}
{{- $keda := .pool.autoscaling.keda -}}
{{- $targets := include "fovea.queueTargets" . | fromJson -}}
{{- with $targets.pending }}
{{ include "fovea.trigger" (dict "pool" $.pool "name" "pending" "query" (include "fovea.pendingQuery" $) "threshold" (toString .)) }}
{{- end }}
{{- with $targets.queue }}
{{ include "fovea.trigger" (dict "pool" $.pool "name" "queue" "query" (include "fovea.queueQuery" $) "threshold" (toString .) "metricType" "Value") }}
{{- end }}
{{- $rate := include "fovea.rateTarget" . | float64 }}
{{- if gt $rate 0.0 }}
{{ include "fovea.trigger" (dict "pool" .pool "name" "rate" "query" (include "fovea.rateQuery" .) "threshold" (printf "%.3f" $rate)) }}
{{- end }}
{{- with $keda.activation }}
{{- if .query }}
{{ include "fovea.trigger" (dict "pool" $.pool "name" "outside" "query" .query "threshold" (toString .target) "activation" (toString .threshold)) }}
{{- end }}
{{- end }}
{{- with $keda.extraTriggers }}
{{ toYaml . }}
{{- end }}
{{- end -}}
