{{/*
A pool, complete: the defaults and the sections a pool may override, with what the pool itself says on top. YAML.
Arguments: root, name.
*/}}
{{- define "fovea.pool" -}}
{{- $values := .root.Values -}}
{{- $pool := deepCopy $values.poolDefaults -}}
{{- range $section := list "image" "modelRepository" "autoscaling" "rollout" "engines" "sizing" "podDisruptionBudget" -}}
{{- $_ := set $pool $section (deepCopy (get $values $section)) -}}
{{- end -}}
{{- $_ := set $pool "name" .name -}}
{{- $stable := ternary $values.canary.pool .name (eq .name "canary") -}}
{{- $override := deepCopy (default dict (get $values.pools $stable)) -}}
{{- include "fovea.dropDigests" $override -}}
{{- $pool = mergeOverwrite $pool $override -}}
{{- if eq .name "canary" -}}
{{- $tried := dict "image" (deepCopy $values.canary.image) "modelRepository" (deepCopy $values.canary.modelRepository) -}}
{{- include "fovea.dropDigests" $tried -}}
{{- $pool = mergeOverwrite $pool $tried -}}
{{- $_ := set $pool.autoscaling "type" "none" -}}
{{- $_ := set $pool.sizing "requestsPerSecond" 0 -}}
{{- $_ := set $pool "replicas" (include "fovea.canaryReplicas" .root | int) -}}
{{- else if gt (float64 $pool.sizing.requestsPerSecond) 0.0 -}}
{{- $_ := set $pool "replicas" (include "fovea.sizedReplicas" (dict "root" .root "pool" $pool) | int) -}}
{{- end -}}
{{- $_ := set $pool.engines "enabled" (hasPrefix "tensorrt" $pool.profile) -}}
{{- toYaml $pool -}}
{{- end -}}

{{/* Who names another repository or tag means that one: an inherited digest would go before it. Changes its argument. */}}
{{- define "fovea.dropDigests" -}}
{{- range $image := list (dig "image" dict .) (dig "modelRepository" "image" dict .) -}}
{{- if and (or (hasKey $image "repository") (hasKey $image "tag")) (not (hasKey $image "digest")) -}}
{{- $_ := set $image "digest" "" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The pools' names, the canary's among them, as a JSON list under `names`. */}}
{{- define "fovea.poolNames" -}}
{{- $names := keys .Values.pools | sortAlpha -}}
{{- if .Values.canary.enabled -}}{{- $names = append $names "canary" -}}{{- end -}}
{{- dict "names" $names | toJson -}}
{{- end -}}

{{/* The pool that stands for the release where one has to: `helm test` runs its image. YAML. */}}
{{- define "fovea.firstPool" -}}
{{- include "fovea.pool" (dict "root" . "name" (first (include "fovea.poolNames" . | fromJson).names)) -}}
{{- end -}}

{{/*
Pods of the canary: given, or its share of the pods that callers reach. Behind the same Services it gets what its number is
of all; behind a route it gets `weight` percent of the requests, whatever it has. At least one.
*/}}
{{- define "fovea.canaryReplicas" -}}
{{- $canary := .Values.canary -}}
{{- if not (kindIs "invalid" $canary.replicas) -}}
{{- $canary.replicas | int -}}
{{- else -}}
{{- $stable := 0 -}}
{{- range $name := without (keys .Values.pools | sortAlpha) "canary" -}}
{{- $pool := include "fovea.pool" (dict "root" $ "name" $name) | fromYaml -}}
{{- if $pool.traffic -}}{{- $stable = add $stable (include "fovea.podsThere" (dict "root" $ "pool" $pool) | int) -}}{{- end -}}
{{- end -}}
{{- $weight := float64 $canary.weight -}}
{{- $share := ternary (divf $weight 100.0) (divf $weight (subf 100.0 (min 99.0 $weight))) (eq $canary.by "route") -}}
{{- max 1 (int (round (mulf (float64 $stable) $share) 0)) -}}
{{- end -}}
{{- end -}}

{{/* Which Services a pool's pods are behind. */}}
{{- define "fovea.traffic" -}}
{{- if not .pool.traffic -}}none
{{- else if and (eq .pool.name "canary") (eq .root.Values.canary.by "route") -}}canary
{{- else -}}main
{{- end -}}
{{- end -}}

{{- define "fovea.poolSelector" -}}
{{ include "fovea.selectorLabels" .root }}
app.kubernetes.io/component: triton
fovea.io/pool: {{ .pool.name }}
{{- end -}}

{{/* Without the chart's version: another one alone is no reason to replace every pod. */}}
{{- define "fovea.podLabels" -}}
{{ include "fovea.poolSelector" . }}
app.kubernetes.io/part-of: fovea
fovea.io/traffic: {{ include "fovea.traffic" . }}
{{- with merge (deepCopy (default dict .pool.podLabels)) (default dict .root.Values.commonLabels) }}
{{ toYaml . }}
{{- end }}
{{- end -}}
