{{/*
How a pod is stopped without losing a request. YAML: preStopSeconds, terminationGracePeriodSeconds.

    preStop ≥ endpointPropagation + connectionAge × 1.1 + connectionAgeGrace
    grace   ≥ preStop + exitTimeout + unload

While preStop sleeps the pod goes on serving: first nobody is sent to it any more, then every connection that is left
reaches its age (gRPC varies it by ±10 %) and finishes its requests. Only then comes SIGTERM, after which Triton answers
what stays connected with NOT_FOUND. Measured on a cluster with a shorter preStop: 133 of 468 requests lost.
*/}}
{{- define "fovea.drain" -}}
{{- $d := .Values.drain -}}
{{- include "fovea.checkLongestRequest" $d -}}
{{- $oldest := mulf (float64 $d.connectionAgeSeconds) 1.1 | ceil | int -}}
{{- $needed := add (int $d.endpointPropagationSeconds) $oldest (int $d.connectionAgeGraceSeconds) | int -}}
{{- $preStop := ternary $needed (int $d.preStopSeconds) (kindIs "invalid" $d.preStopSeconds) -}}
{{- if lt $preStop $needed -}}
{{- fail (printf "drain.preStopSeconds %d is too short: endpointPropagationSeconds %d + connectionAgeSeconds %d × 1.1 = %d + connectionAgeGraceSeconds %d = %d s; raise it, leave it out, or shorten a part" $preStop (int $d.endpointPropagationSeconds) (int $d.connectionAgeSeconds) $oldest (int $d.connectionAgeGraceSeconds) $needed) -}}
{{- end -}}
{{- $total := add $preStop (int $d.exitTimeoutSeconds) (int $d.unloadSeconds) | int -}}
{{- $grace := ternary $total (int $d.terminationGracePeriodSeconds) (kindIs "invalid" $d.terminationGracePeriodSeconds) -}}
{{- if lt $grace $total -}}
{{- fail (printf "drain.terminationGracePeriodSeconds %d is too short: preStop %d + exitTimeoutSeconds %d + unloadSeconds %d = %d s; raise it, leave it out, or shorten a part" $grace $preStop (int $d.exitTimeoutSeconds) (int $d.unloadSeconds) $total) -}}
{{- end -}}
preStopSeconds: {{ $preStop }}
terminationGracePeriodSeconds: {{ $grace }}
{{- end -}}

{{- define "fovea.checkLongestRequest" -}}
{{- range $part := list "connectionAgeGraceSeconds" "exitTimeoutSeconds" -}}
{{- if lt (int (get $ $part)) (int $.longestRequestSeconds) -}}
{{- fail (printf "drain.%s %d is shorter than drain.longestRequestSeconds %d: such a request would be cut off" $part (int (get $ $part)) (int $.longestRequestSeconds)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
