{{- define "fovea.trafficSelector" -}}
{{ include "fovea.selectorLabels" .root }}
app.kubernetes.io/component: triton
fovea.io/traffic: {{ .traffic }}
{{- end -}}

{{/* What a Service offers: what callers use, and no more. */}}
{{- define "fovea.servicePorts" -}}
{{- if .Values.server.grpc.enabled -}}
- name: grpc
  port: {{ int .Values.server.ports.grpc }}
  targetPort: grpc
  {{- if not .Values.tls.enabled }}
  appProtocol: kubernetes.io/h2c
  {{- end }}
{{ end -}}
{{- if .Values.server.http.enabled -}}
- name: http
  port: {{ int .Values.server.ports.http }}
  targetPort: http
{{- end -}}
{{- end -}}

{{/* The same as a NetworkPolicy has it. */}}
{{- define "fovea.policyPorts" -}}
{{- if .Values.server.grpc.enabled -}}
- {port: {{ int .Values.server.ports.grpc }}, protocol: TCP}
{{ end -}}
{{- if .Values.server.http.enabled -}}
- {port: {{ int .Values.server.ports.http }}, protocol: TCP}
{{- end -}}
{{- end -}}

{{/*
Names of the Services that callers may use, a JSON list. The canary's is among them before there is one: servers read
their certificate when they start, and a new name in it would mean to restart them all.
*/}}
{{- define "fovea.serviceNames" -}}
{{- $own := include "fovea.fullname" . -}}
{{- $names := list $own (printf "%s-headless" $own) (printf "%s-canary" $own) -}}
{{- range $name := keys .Values.pools | sortAlpha -}}
{{- if not (include "fovea.pool" (dict "root" $ "name" $name) | fromYaml).traffic -}}{{- $names = append $names (printf "%s-%s" $own $name) -}}{{- end -}}
{{- end -}}
{{- toJson $names -}}
{{- end -}}
