{{/* A pod of one container of our own images, up to where the container's own part begins. */}}
{{- define "fovea.extraPod" -}}
serviceAccountName: {{ include "fovea.serviceAccountName" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .restartPolicy }}
restartPolicy: {{ . }}
{{- end }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
volumes:
  - name: scratch
    emptyDir: {}
  {{- with .volumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
containers:
  - name: {{ .name }}
    image: {{ required (printf "%s.image: which image?" .name) .image }}
    securityContext:
      {{- toYaml .root.Values.securityContext | nindent 6 }}
    volumeMounts:
      - name: scratch
        mountPath: /tmp
      {{- with .volumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    env:
      - name: HOME
        value: /tmp
{{- end -}}
