{{/* The folder that Triton serves: the release's volume, or the pod's own copy of it. Argument: pool. */}}
{{- define "fovea.repositoryPath" -}}
{{- if eq (include "fovea.copies" .) "true" -}}/models{{- else -}}{{ printf "/release%s" .modelRepository.path | trimSuffix "/" }}{{- end -}}
{{- end -}}

{{/* Whether the pod has a copy: engines are built into one, and what others could change is checked in one. */}}
{{- define "fovea.copies" -}}
{{- or .engines.enabled (ne .modelRepository.type "image") -}}
{{- end -}}

{{/* Flags of tritonserver, one a line. Arguments: root, pool. */}}
{{- define "fovea.flags" -}}
{{- $values := .root.Values -}}
{{- $drain := $values.drain -}}
- --model-repository={{ include "fovea.repositoryPath" .pool }}
- --model-control-mode=none
- --disable-auto-complete-config
- --exit-on-error=true
- --strict-readiness=true
- --exit-timeout-secs={{ int $drain.exitTimeoutSeconds }}
{{- if $values.server.grpc.enabled }}
- --grpc-port={{ $values.server.ports.grpc }}
- --grpc-max-connection-age={{ mul (int $drain.connectionAgeSeconds) 1000 }}
- --grpc-max-connection-age-grace={{ mul (int $drain.connectionAgeGraceSeconds) 1000 }}
{{- else }}
- --allow-grpc=false
{{- end }}
- --http-port={{ $values.server.ports.http }}
{{- if not $values.server.http.enabled }}
- --http-address=127.0.0.1
{{- /* Else metrics listen where HTTP does, and Prometheus could not read them. */}}
- --metrics-address=0.0.0.0
{{- end }}
- --metrics-port={{ $values.server.ports.metrics }}
{{- if ne .pool.profile "default" }}
- --model-config-name={{ .pool.profile }}
{{- end }}
{{- range $backend, $options := $values.server.backendConfig }}
{{- range $key, $value := $options }}
- --backend-config={{ $backend }},{{ $key }}={{ $value }}
{{- end }}
{{- end }}
{{- if $values.server.clientSharedMemory }}
- --allow-client-shm=true
{{- end }}
{{- if contains "/mig-" .pool.gpu.resourceName }}
- --allow-gpu-metrics=false
{{- end }}
{{- include "fovea.securityFlags" .root }}
{{- include "fovea.tracingFlags" .root }}
{{- range .pool.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end -}}

{{- define "fovea.securityFlags" -}}
{{- with .Values.restrictedApis.apis }}
{{- $rule := printf "%s:%s=$(FOVEA_API_KEY)" (join "," .) $.Values.restrictedApis.header }}
- --grpc-restricted-protocol={{ $rule }}
- --http-restricted-api={{ $rule }}
{{- end }}
{{- if .Values.tls.enabled }}
- --grpc-use-ssl=true
- --grpc-server-cert=/tls/tls.crt
- --grpc-server-key=/tls/tls.key
{{- if .Values.tls.mutual }}
- --grpc-use-ssl-mutual=true
- --grpc-root-cert=/tls/ca.crt
{{- end }}
{{- end }}
{{- end -}}

{{- define "fovea.tracingFlags" -}}
{{- with .Values.observability.tracing }}
{{- if .enabled }}
- --trace-config=mode=opentelemetry
- --trace-config=level={{ .level }}
- --trace-config=rate={{ int .rate }}
- --trace-config=opentelemetry,url={{ required "observability.tracing.url: the collector's address is missing" .url }}
- --trace-config=opentelemetry,resource=service.name={{ include "fovea.fullname" $ }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Environment of tritonserver. Without a Secret the restricted APIs' key is the pod's UID, which no caller knows. */}}
{{- define "fovea.environment" -}}
- name: PYTHONDONTWRITEBYTECODE
  value: "1"
- name: HOME
  value: /tmp
{{- if .root.Values.restrictedApis.apis }}
- name: FOVEA_API_KEY
  valueFrom:
    {{- if .root.Values.restrictedApis.existingSecret }}
    secretKeyRef:
      name: {{ .root.Values.restrictedApis.existingSecret }}
      key: {{ .root.Values.restrictedApis.secretKey }}
    {{- else }}
    fieldRef:
      fieldPath: metadata.uid
    {{- end }}
{{- end }}
{{- with .pool.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
