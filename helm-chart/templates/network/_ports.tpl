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
