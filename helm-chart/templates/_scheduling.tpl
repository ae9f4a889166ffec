{{/* On which nodes a pool's pods run. Arguments: root, pool. */}}
{{- define "fovea.scheduling" -}}
{{- with .pool.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with .pool.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with include "fovea.nodes" .pool | trim }}
{{ . }}
{{- end }}
{{- with .pool.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- include "fovea.topologySpread" . }}
{{- end -}}

{{/* Which nodes are a pool's. Argument: a pool. */}}
{{- define "fovea.nodes" -}}
{{- $selector := deepCopy .nodeSelector -}}
{{- if .gpu.product -}}{{- $_ := set $selector "nvidia.com/gpu.product" .gpu.product -}}{{- end -}}
{{- $tolerations := .tolerations -}}
{{- if gt (int .gpu.count) 0 -}}
{{- $tolerations = prepend $tolerations (dict "key" "nvidia.com/gpu" "operator" "Exists" "effect" "NoSchedule") -}}
{{- end -}}
{{- with $selector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The hash of the pod template is part of the selector: an old ReplicaSet's pods do not count against the new ones'. */}}
{{- define "fovea.topologySpread" -}}
{{- $spread := dict "topology.kubernetes.io/zone" .pool.topologySpread.zone "kubernetes.io/hostname" .pool.topologySpread.host -}}
{{- if ne (list .pool.topologySpread.zone .pool.topologySpread.host | uniq | join ",") "off" }}
topologySpreadConstraints:
  {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  {{- $unsatisfiable := get $spread $key }}
  {{- if ne $unsatisfiable "off" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: {{ $unsatisfiable }}
    labelSelector:
      matchLabels:
        {{- include "fovea.poolSelector" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
  {{- end }}
{{- end }}
{{- end -}}
