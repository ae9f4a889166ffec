{{/*
The Job's name. A Job cannot be changed: as part of the release it is another one in each revision, as a hook it is made anew.
*/}}
{{- define "fovea.loadTestName" -}}
load-test{{ if not .Values.loadTest.helmTest }}-{{ .Release.Revision }}{{ end }}
{{- end -}}

{{/* Whom it asks, and as whom. */}}
{{- define "fovea.loadTestTarget" -}}
- --url={{ include "fovea.fullname" . }}{{ if .Values.service.headless }}-headless{{ end }}:{{ int .Values.server.ports.grpc }}
{{- with include "fovea.clientTlsFlags" . }}
{{ . }}
{{- end }}
{{- end -}}

{{/* How a load test is started: `python -m loadtests run` against the headless Service, so that every pod gets its share. */}}
{{- define "fovea.loadTestCommand" -}}
- python
- -m
- loadtests
- run
{{ include "fovea.loadTestTarget" . }}
- --task={{ default (include "fovea.task" .) .Values.loadTest.task }}
- --images={{ .Values.loadTest.images }}
- --slo=/slo/slo.yaml
- --out=/out
{{- range .Values.loadTest.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end -}}

{{/*
Seconds that the test may take: its own time, and grace for pulling, connecting and the report. Installed with the release it
begins with it, so the server's start comes first.
*/}}
{{- define "fovea.loadTestSeconds" -}}
{{- $load := .Values.loadTest.slo.load -}}
{{- $start := ternary 0 (int (include "fovea.startMinutes" .) | mul 60) .Values.loadTest.helmTest -}}
{{- addf (float64 $start) (float64 $load.duration_s) (float64 $load.warm_up_s) (mulf (float64 .Values.loadTest.graceMinutes) 60.0) | ceil | int -}}
{{- end -}}

{{/* A load generator's pod. */}}
{{- define "fovea.loadTestPod" -}}
serviceAccountName: {{ include "fovea.serviceAccountName" . }}
automountServiceAccountToken: false
enableServiceLinks: false
restartPolicy: Never
{{- if gt (int .Values.loadTest.distributed.workers) 0 }}
subdomain: {{ include "fovea.fullname" . }}-load-test
{{- end }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- if not .Values.loadTest.helmTest }}
initContainers:
  # The Job is made with the pods that it asks. In an upgrade the ones that answer first may be the old ones.
  - name: wait
    image: {{ include "fovea.imageReference" .Values.loadTest.image }}
    imagePullPolicy: {{ .Values.loadTest.image.pullPolicy }}
    command:
      - python
      - -m
      - fovea_client
      - ready
      - --wait-s={{ int (include "fovea.startMinutes" .) | mul 60 }}
      {{- include "fovea.loadTestTarget" . | nindent 6 }}
    env:
      - name: HOME
        value: /tmp
    resources:
      {{- toYaml .Values.loadTest.resources | nindent 6 }}
    securityContext:
      {{- toYaml .Values.securityContext | nindent 6 }}
    volumeMounts:
      - name: scratch
        mountPath: /tmp
      {{- if .Values.tls.enabled }}
      - name: tls
        mountPath: /tls
        readOnly: true
      {{- end }}
{{- end }}
containers:
  - name: load-test
    image: {{ include "fovea.imageReference" .Values.loadTest.image }}
    imagePullPolicy: {{ .Values.loadTest.image.pullPolicy }}
    command:
      {{- with int .Values.loadTest.distributed.workers }}
      - /bin/sh
      - -c
      - '[ "$JOB_COMPLETION_INDEX" = 0 ] && exec "$@"; exec python -m loadtests worker --master={{ include "fovea.fullname" $ }}-{{ include "fovea.loadTestName" $ }}-0.{{ include "fovea.fullname" $ }}-load-test'
      - load-test
      {{- end }}
      {{- include "fovea.loadTestCommand" . | nindent 6 }}
      {{- with int .Values.loadTest.distributed.workers }}
      - --workers={{ . }}
      {{- end }}
    env:
      - name: HOME
        value: /tmp
      - name: MPLCONFIGDIR
        value: /tmp
    resources:
      {{- toYaml .Values.loadTest.resources | nindent 6 }}
    securityContext:
      {{- toYaml .Values.securityContext | nindent 6 }}
    volumeMounts:
      - name: slo
        mountPath: /slo
        readOnly: true
      {{- if .Values.tls.enabled }}
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
      name: {{ include "fovea.fullname" . }}-load-test
  {{- if .Values.tls.enabled }}
  - {{- include "fovea.clientTlsVolume" (dict "root" . "secret" .Values.loadTest.tlsSecret) | nindent 4 }}
  {{- end }}
  - name: out
    emptyDir: {}
  - name: scratch
    emptyDir: {}
{{- end -}}
