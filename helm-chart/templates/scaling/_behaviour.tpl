{{/* Up at once by doubling; down by one pod at a time, for each pod that goes must drain. */}}
{{- define "fovea.scalingBehaviour" -}}
scaleUp:
  stabilizationWindowSeconds: {{ int .scaleUpStabilizationSeconds }}
  policies:
    - {type: Percent, value: 100, periodSeconds: 30}
    - {type: Pods, value: 2, periodSeconds: 30}
scaleDown:
  stabilizationWindowSeconds: {{ int .scaleDownStabilizationSeconds }}
  policies:
    - {type: Pods, value: 1, periodSeconds: 60}
{{- end -}}
