{{/* Names and labels: one definition each, so that selectors cannot drift apart. */}}

{{- define "fovea.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* 39 characters leave room for the canary's name and for what Kubernetes appends to a pod's: see fovea.checkPool. */}}
{{- define "fovea.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 39 | trimSuffix "-" -}}
{{- else if contains (include "fovea.name" .) .Release.Name -}}
{{- .Release.Name | trunc 39 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "fovea.name" .) | trunc 39 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What never changes in a release: the only labels that selectors may use. */}}
{{- define "fovea.selectorLabels" -}}
app.kubernetes.io/name: {{ include "fovea.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "fovea.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: fovea
{{ include "fovea.selectorLabels" . }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Arguments: root, component, and optionally name (suffix), labels, annotations. Gives a resource's metadata. */}}
{{- define "fovea.metadata" -}}
{{- $root := .root -}}
name: {{ include "fovea.fullname" $root }}{{ with .name }}-{{ . }}{{ end }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "fovea.labels" $root | nindent 2 }}
  app.kubernetes.io/component: {{ .component }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- $annotations := merge (dict) (default dict .annotations) $root.Values.commonAnnotations }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "fovea.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "fovea.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* An image's reference; its digest goes before its tag. */}}
{{- define "fovea.imageReference" -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}{{ with .tag }}:{{ . }}{{ end }}
{{- end -}}
{{- end -}}

{{- define "fovea.tlsSecretName" -}}
{{- default (printf "%s-tls" (include "fovea.fullname" .)) .Values.tls.existingSecret -}}
{{- end -}}

{{- define "fovea.task" -}}{{ first .Values.tasks }}{{- end -}}
