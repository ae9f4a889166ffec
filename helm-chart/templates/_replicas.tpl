{{/*
A Deployment's replicas, or nothing. Helm ≥ 4 applies on the server, where each field has owners:

- Autoscaled: left out, for the autoscaler owns it. Except that while Helm alone owns it (autoscaling has just been
  switched on) leaving it out would reset it to 1: then the live number is kept until the autoscaler has scaled once.
- Not autoscaled: the pool's replicas. But where an autoscaler or `kubectl scale` owns the field, another number would
  be a conflict and fail the upgrade: `replicasPolicy: keep` renders the live number, `enforce` the pool's.

Without a cluster (helm template, GitOps) there is nothing to look up: left out or the pool's. Arguments: root, pool.
*/}}
{{- define "fovea.replicas" -}}
{{- $name := printf "%s-%s" (include "fovea.fullname" .root) .pool.name -}}
{{- $live := lookup "apps/v1" "Deployment" .root.Release.Namespace $name -}}
{{- $scaled := false -}}
{{- range (dig "metadata" "managedFields" list (default dict $live)) -}}
{{- if eq (default "" .subresource) "scale" -}}{{- $scaled = true -}}{{- end -}}
{{- end -}}
{{- $number := dig "spec" "replicas" nil (default dict $live) -}}
{{- if ne .pool.autoscaling.type "none" -}}
{{- if and $live (not $scaled) -}}{{- $number -}}{{- end -}}
{{- else if and $live $scaled (eq .pool.replicasPolicy "keep") -}}
{{- $number -}}
{{- else -}}
{{- .pool.replicas | int -}}
{{- end -}}
{{- end -}}
