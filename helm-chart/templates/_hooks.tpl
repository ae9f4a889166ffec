{{/* What makes a Job a hook of `helm test`. One that passed goes at once, one that failed after an hour: uninstalling removes no hooks. */}}
{{- define "fovea.testHook" -}}
helm.sh/hook: test
helm.sh/hook-weight: {{ .weight | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
helm.sh/hook-output-log-policy: hook-succeeded,hook-failed
{{- end -}}
