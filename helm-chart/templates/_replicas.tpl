{{/*
Who says how many pods there are. Helm ≥ 4 applies on the server, where each field has owners:

- Autoscaled: replicas are left out, for the autoscaler sets them. Except that while Helm alone owns the field (autoscaling
  has just been switched on) leaving it out would reset it to 1: then the live number is rendered until the autoscaler has
  scaled once.
- Not autoscaled: the pool's replicas. But what an autoscaler or `kubectl scale` has set is kept, once and from then on
  (`replicasPolicy: keep`, remembered in an annotation), until `enforce` takes it back. Another number would be a
  conflict with its owner and fail the upgrade, or drop pods that an unrelated upgrade should not.
- An autoscaler that was content with what it found has set nothing, and Helm still owns the number: that it was at work is
  remembered in the same annotation, for its end must not drop pods either.

Helm is whoever wrote the annotation that names the release: Flux, Terraform and others call themselves otherwise.

A number that was set while nobody owned the field has no owner either: what Helm does not own alone is somebody else's.
Without a cluster (helm template, GitOps) there is nothing to look up: left out, or the pool's.
*/}}

{{/*
The live Deployment's number, and whose it is. JSON: live, number, helms, kept (it was, or an autoscaler was at work).
Arguments: root, pool.
*/}}
{{- define "fovea.liveReplicas" -}}
{{- $name := printf "%s-%s" (include "fovea.fullname" .root) .pool.name -}}
{{- $live := default dict (lookup "apps/v1" "Deployment" .root.Release.Namespace $name) -}}
{{- $managers := list "helm" -}}
{{- range dig "metadata" "managedFields" list $live -}}
{{- if hasKey (dig "fieldsV1" "f:metadata" "f:annotations" dict .) "f:meta.helm.sh/release-name" -}}{{- $managers = append $managers .manager -}}{{- end -}}
{{- end -}}
{{- $helms := false -}}
{{- $others := false -}}
{{- range dig "metadata" "managedFields" list $live -}}
{{- if hasKey (dig "fieldsV1" "f:spec" dict .) "f:replicas" -}}
{{- if and (has .manager $managers) (not .subresource) -}}{{- $helms = true -}}{{- else -}}{{- $others = true -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- $kept := has (dig "metadata" "annotations" "fovea.io/replicas" "" $live) (list "kept" "autoscaled") -}}
{{- dict "live" (not (empty $live)) "number" (dig "spec" "replicas" 0 $live) "helms" (and $helms (not $others)) "kept" $kept | toJson -}}
{{- end -}}

{{/* Whether the live number stays although nothing scales the pool any more. */}}
{{- define "fovea.keepsReplicas" -}}
{{- $found := include "fovea.liveReplicas" . | fromJson -}}
{{- if and $found.live (eq .pool.autoscaling.type "none") (eq .pool.replicasPolicy "keep") (or $found.kept (not $found.helms)) -}}
true
{{- end -}}
{{- end -}}

{{/* What the next upgrade has to know of the number: an annotation's value, or nothing. */}}
{{- define "fovea.replicasNote" -}}
{{- if ne .pool.autoscaling.type "none" -}}
autoscaled
{{- else if include "fovea.keepsReplicas" . -}}
kept
{{- end -}}
{{- end -}}

{{/* How many pods a pool has after this upgrade, as far as it can be known: an autoscaler may change its mind. */}}
{{- define "fovea.podsThere" -}}
{{- $found := include "fovea.liveReplicas" . | fromJson -}}
{{- if eq .pool.autoscaling.type "none" -}}{{- include "fovea.replicas" . -}}
{{- else if $found.live -}}{{- int $found.number -}}
{{- else -}}{{- int .pool.autoscaling.minReplicas -}}
{{- end -}}
{{- end -}}

{{/* A Deployment's replicas, or nothing. */}}
{{- define "fovea.replicas" -}}
{{- $found := include "fovea.liveReplicas" . | fromJson -}}
{{- if ne .pool.autoscaling.type "none" -}}
{{- if and $found.live $found.helms -}}{{- int $found.number -}}{{- end -}}
{{- else if include "fovea.keepsReplicas" . -}}
{{- int $found.number -}}
{{- else -}}
{{- .pool.replicas | int -}}
{{- end -}}
{{- end -}}
