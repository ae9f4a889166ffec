{{/*
Probes ask over HTTP. Where HTTP is not offered it listens on the pod's loopback only, so the probe is a command there.
Liveness does not use the native gRPC probe: Triton answers that with readiness, and one slow model would restart the pod.
*/}}

{{/* Ask one path. Arguments: root, path. */}}
{{- define "fovea.probeAction" -}}
{{- if .root.Values.server.http.enabled -}}
httpGet:
  path: {{ .path }}
  port: http
{{- else -}}
exec:
  command: {{ list "/bin/bash" "/fovea/ready.sh" (toString .root.Values.server.ports.http) .path | toJson }}
{{- end -}}
{{- end -}}

{{/* Ready is the server, which is strict about every model it serves, and each task by its name. */}}
{{- define "fovea.readinessAction" -}}
{{- if .Values.probes.readiness.perModel -}}
{{- $command := list "/bin/bash" "/fovea/ready.sh" (toString .Values.server.ports.http) "/v2/health/ready" -}}
{{- range .Values.tasks -}}{{- $command = append $command (printf "/v2/models/%s/ready" .) -}}{{- end -}}
exec:
  command: {{ toJson $command }}
{{- else -}}
{{- include "fovea.probeAction" (dict "root" . "path" "/v2/health/ready") -}}
{{- end -}}
{{- end -}}

{{/* Arguments: root, pool. */}}
{{- define "fovea.probes" -}}
{{- $probes := .root.Values.probes -}}
{{- $budgets := include "fovea.budgets" . | fromYaml -}}
startupProbe:
  {{- include "fovea.probeAction" (dict "root" .root "path" "/v2/health/ready") | nindent 2 }}
  periodSeconds: {{ $probes.startup.periodSeconds }}
  timeoutSeconds: {{ $probes.readiness.timeoutSeconds }}
  failureThreshold: {{ $budgets.startupFailures }}
readinessProbe:
  {{- include "fovea.readinessAction" .root | nindent 2 }}
  periodSeconds: {{ $probes.readiness.periodSeconds }}
  timeoutSeconds: {{ $probes.readiness.timeoutSeconds }}
  failureThreshold: {{ $probes.readiness.failureThreshold }}
livenessProbe:
  {{- include "fovea.probeAction" (dict "root" .root "path" "/v2/health/live") | nindent 2 }}
  periodSeconds: {{ $probes.liveness.periodSeconds }}
  timeoutSeconds: {{ $probes.liveness.timeoutSeconds }}
  failureThreshold: {{ $probes.liveness.failureThreshold }}
{{- end -}}
