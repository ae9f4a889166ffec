{{/* How a load test is started: `python -m loadtests run` against the headless Service, so that every pod gets its share. */}}
{{- define "fovea.loadTestCommand" -}}
- python
- -m
- loadtests
- run
- --url={{ include "fovea.fullname" . }}{{ if .Values.service.headless }}-headless{{ end }}:{{ int .Values.server.ports.grpc }}
- --task={{ default (include "fovea.task" .) .Values.loadTest.task }}
- --images={{ .Values.loadTest.images }}
- --slo=/slo/slo.yaml
- --out=/out
{{- if .Values.tls.enabled }}
- --ca=/tls/ca.crt
{{- if .Values.tls.mutual }}
- --cert=/tls/tls.crt
- --key=/tls/tls.key
{{- end }}
{{- end }}
{{- range .Values.loadTest.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end -}}

{{/* Seconds that the test may take: its own time, and grace for pulling, connecting and the report. */}}
{{- define "fovea.loadTestSeconds" -}}
{{- $load := .Values.loadTest.slo.load -}}
{{- addf (float64 $load.duration_s) (float64 $load.warm_up_s) (mulf (float64 .Values.loadTest.graceMinutes) 60.0) | ceil | int -}}
{{- end -}}

{{/* A load generator's pod, less its restart policy. Arguments: root, arguments (further flags). */}}
{{- define "fovea.loadTestPod" -}}
serviceAccountName: {{ include "fovea.serviceAccountName" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
restartPolicy: Never
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
containers:
  - name: load-test
    image: {{ include "fovea.imageReference" .root.Values.loadTest.image }}
    imagePullPolicy: {{ .root.Values.loadTest.image.pullPolicy }}
    command:
      {{- include "fovea.loadTestCommand" .root | nindent 6 }}
      {{- range .arguments }}
      - {{ . }}
      {{- end }}
    env:
      - name: HOME
        value: /tmp
      - name: MPLCONFIGDIR
        value: /tmp
    resources:
      {{- toYaml .root.Values.loadTest.resources | nindent 6 }}
    securityContext:
      {{- toYaml .root.Values.securityContext | nindent 6 }}
    volumeMounts:
      - name: slo
        mountPath: /slo
        readOnly: true
      {{- if .root.Values.tls.enabled }}
      - name: tls
        mountPath: /tls
        readOnly: true
      {{- end }}
      - name: out
        mountPath: /out
      - name: scratch
        mountPath: /tmp
volumes:
  - name: slo
    configMap:
      name: {{ include "fovea.fullname" .root }}-load-test
  {{- if .root.Values.tls.enabled }}
  - name: tls
    secret:
      secretName: {{ default (include "fovea.tlsSecretName" .root) .root.Values.loadTest.tlsSecret }}
      defaultMode: 0440
      {{- if not .root.Values.tls.mutual }}
      items: [{key: ca.crt, path: ca.crt}]
      {{- end }}
  {{- end }}
  - name: out
    emptyDir: {}
  - name: scratch
    emptyDir: {}
{{- end -}}
