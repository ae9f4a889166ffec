{{/* How the chart's own clients speak to a server that wants TLS: the dashboard and the load test. */}}

{{- define "fovea.clientTlsFlags" -}}
{{- if .Values.tls.enabled -}}
- --ca=/tls/ca.crt
{{- if .Values.tls.mutual }}
- --cert=/tls/tls.crt
- --key=/tls/tls.key
{{- end }}
{{- end -}}
{{- end -}}

{{/* The volume behind /tls: the client's own Secret, or of the server's the authority alone. Arguments: root, secret. */}}
{{- define "fovea.clientTlsVolume" -}}
name: tls
secret:
  secretName: {{ default (include "fovea.tlsSecretName" .root) .secret }}
  defaultMode: 0440
  {{- if not .root.Values.tls.mutual }}
  items: [{key: ca.crt, path: ca.crt}]
  {{- end }}
{{- end -}}
