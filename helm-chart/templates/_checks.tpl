{{/* What the schema cannot say: values that need or forbid each other. Each sentence names the value and the way out. */}}

{{- define "fovea.check" -}}
{{- $values := .Values -}}
{{- range list "canary" "dashboard" "drift" "headless" "metrics" "load-test" "answers" "engines" "scripts" "others" "tls" -}}
{{- if hasKey $values.pools . -}}
{{- fail (printf "pools: the chart has objects of the name `%s`; name yours otherwise" .) -}}
{{- end -}}
{{- end -}}
{{- if not (regexMatch "^[A-Za-z][A-Za-z0-9-]*$" (include "fovea.fullname" .)) -}}
{{- fail (printf "the release's name %q cannot be a Service's, which begins with a letter and has no dots; set fullnameOverride" (include "fovea.fullname" .)) -}}
{{- end -}}
{{- include "fovea.checkLabels" (dict "at" "commonLabels" "labels" $values.commonLabels) -}}
{{- if not $values.pools -}}{{- fail "pools: there is none; name at least one" -}}{{- end -}}
{{- if and $values.tls.enabled (not $values.tls.existingSecret) (not $values.tls.certManager.enabled) -}}
{{- fail "tls.enabled needs tls.existingSecret, or tls.certManager.enabled" -}}
{{- end -}}
{{- if and $values.tls.certManager.enabled (not $values.tls.certManager.issuerRef.name) -}}
{{- fail "tls.certManager.enabled needs tls.certManager.issuerRef.name" -}}
{{- end -}}
{{- if and $values.tls.mutual (not $values.tls.enabled) -}}
{{- fail "tls.mutual needs tls.enabled" -}}
{{- end -}}
{{- if and $values.tls.mutual $values.server.http.enabled -}}
{{- fail "server.http.enabled with tls.mutual: Triton's HTTP port has no TLS, so anybody could ask there in plain text; switch one of them off" -}}
{{- end -}}
{{- if and $values.dashboard.enabled $values.tls.mutual (not $values.dashboard.tlsSecret) -}}
{{- fail "tls.mutual: the dashboard needs a certificate of its own in dashboard.tlsSecret" -}}
{{- end -}}
{{- if and $values.loadTest.enabled $values.tls.mutual (not $values.loadTest.tlsSecret) -}}
{{- fail "tls.mutual: the load test needs a certificate of its own in loadTest.tlsSecret" -}}
{{- end -}}
{{- if has "health" $values.restrictedApis.apis -}}
{{- fail "restrictedApis.apis: with `health` behind a key no probe could ask" -}}
{{- end -}}
{{- if not (or $values.server.grpc.enabled $values.server.http.enabled) -}}
{{- fail "server.grpc.enabled and server.http.enabled: one of them must be" -}}
{{- end -}}
{{- if and (not $values.server.grpc.enabled) (or $values.gateway.grpcRoute.enabled $values.loadTest.enabled $values.dashboard.enabled $values.tls.enabled (and $values.ingress.enabled (eq $values.ingress.port "grpc"))) -}}
{{- fail "gateway.grpcRoute, ingress.port grpc, loadTest, dashboard and tls need server.grpc.enabled" -}}
{{- end -}}
{{- if and $values.gateway.httpRoute.enabled (not $values.server.http.enabled) -}}
{{- fail "gateway.httpRoute.enabled needs server.http.enabled" -}}
{{- end -}}
{{- if and $values.ingress.enabled (eq $values.ingress.port "http") (not $values.server.http.enabled) -}}
{{- fail "ingress.port http needs server.http.enabled" -}}
{{- end -}}
{{- if and $values.observability.podMonitor.enabled $values.observability.serviceMonitor.enabled -}}
{{- fail "observability: podMonitor and serviceMonitor would read every pod twice, and sums would double; enable one" -}}
{{- end -}}
{{- include "fovea.checkRoutes" $values.gateway -}}
{{- include "fovea.checkCanary" . -}}
{{- end -}}

{{/* A gateway takes one of two routes of different kinds that claim the same name. Argument: the values' gateway. */}}
{{- define "fovea.checkRoutes" -}}
{{- if and .grpcRoute.enabled .httpRoute.enabled (eq (toJson .grpcRoute.parentRefs) (toJson .httpRoute.parentRefs)) -}}
{{- $others := default (list "*") .httpRoute.hostnames -}}
{{- range $name := default (list "*") .grpcRoute.hostnames -}}
{{- range $other := $others -}}
{{- if or (eq $name $other) (and (hasPrefix "*" $name) (hasSuffix (trimPrefix "*" $name) $other)) (and (hasPrefix "*" $other) (hasSuffix (trimPrefix "*" $other) $name)) -}}
{{- fail (printf "gateway: grpcRoute and httpRoute claim the same names of one Gateway, %q and %q, which takes one of them only; give each its own hostnames, or a parentRefs.sectionName" $name $other) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The claim that the chart makes for the plans of all pools that name none, as JSON; `{}` where no pool needs one. */}}
{{- define "fovea.madeCache" -}}
{{- $made := dict -}}
{{- range $name := (include "fovea.poolNames" . | fromJson).names -}}
{{- $engines := (include "fovea.pool" (dict "root" $ "name" $name) | fromYaml).engines -}}
{{- if and $engines.enabled (eq $engines.cache.type "pvc") (not $engines.cache.claimName) -}}
{{- $asked := pick $engines.cache "accessMode" "storageClassName" "size" -}}
{{- if and $made (ne (toJson $made) (toJson $asked)) -}}
{{- fail (printf "pool %s: its engines.cache differs from another pool's, and the chart makes one claim for all; name a claim of its own in engines.cache.claimName" $name) -}}
{{- end -}}
{{- $made = $asked -}}
{{- end -}}
{{- end -}}
{{- toJson $made -}}
{{- end -}}

{{/* Labels that selectors and queries rest on are the chart's. Arguments: at, labels. */}}
{{- define "fovea.checkLabels" -}}
{{- range $key := keys .labels -}}
{{- if regexMatch "^(app\\.kubernetes\\.io/(name|instance|component|managed-by|part-of)$|helm\\.sh/chart$|fovea\\.io/)" $key -}}
{{- fail (printf "%s: the label %s is the chart's own; name yours otherwise" $.at $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "fovea.checkCanary" -}}
{{- $canary := .Values.canary -}}
{{- if $canary.enabled -}}
{{- if not (hasKey .Values.pools $canary.pool) -}}
{{- fail (printf "canary.pool: there is no pool %q" $canary.pool) -}}
{{- end -}}
{{- $pool := include "fovea.pool" (dict "root" . "name" $canary.pool) | fromYaml -}}
{{- if not $pool.traffic -}}
{{- fail (printf "canary.pool: no caller reaches the pool %q (traffic: false), so there is nothing to share" $canary.pool) -}}
{{- end -}}
{{- if kindIs "invalid" $canary.replicas -}}
{{- if ne $pool.autoscaling.type "none" -}}
{{- fail (printf "canary.replicas: the pool %q is autoscaled, so its canary's number has to be said" $canary.pool) -}}
{{- end -}}
{{- if and (eq $canary.by "replicas") (eq (int $canary.weight) 0) -}}
{{- fail "canary.weight 0 by numbers of pods: its first pod takes its share at once; use canary.by route, or a weight" -}}
{{- end -}}
{{- if and (eq $canary.by "replicas") (gt (int $canary.weight) 90) -}}
{{- fail "canary.weight over 90 by numbers of pods is more than ten times the pool; promote it, or say canary.replicas" -}}
{{- end -}}
{{- end -}}
{{- if and (eq $canary.by "route") (not .Values.gateway.grpcRoute.enabled) (not .Values.gateway.httpRoute.enabled) -}}
{{- fail "canary.by route needs gateway.grpcRoute.enabled or gateway.httpRoute.enabled; without a gateway use canary.by replicas" -}}
{{- end -}}
{{- if and (eq $canary.by "route") (gt (int $canary.weight) 0) .Release.IsUpgrade -}}
{{- $name := include "fovea.fullname" . -}}
{{- $stable := default dict (lookup "apps/v1" "Deployment" .Release.Namespace (printf "%s-%s" $name $canary.pool)) -}}
{{- $tried := default dict (lookup "apps/v1" "Deployment" .Release.Namespace (print $name "-canary")) -}}
{{- $behind := eq "canary" (dig "spec" "template" "metadata" "labels" "fovea.io/traffic" "" $tried) -}}
{{- $ready := ternary (int (dig "status" "availableReplicas" 0 $tried)) 0 $behind -}}
{{- $wanted := include "fovea.canaryReplicas" . | int -}}
{{- if and (gt (int (dig "status" "availableReplicas" 0 $stable)) 0) (lt $ready $wanted) -}}
{{- fail (printf "canary.weight %d: of %d pods that bear it %d are ready, and a gateway sends it at once; upgrade with canary.weight=0,canary.replicas=%d, wait until they are ready, then give it its weight" (int $canary.weight) $wanted $ready $wanted) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Arguments: root, pool. */}}
{{- define "fovea.checkPool" -}}
{{- $pool := .pool -}}
{{- $at := printf "pool %s: " $pool.name -}}
{{- if not (regexMatch "^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$" $pool.name) -}}
{{- fail (print $at "a pool's name has at most 20 small letters, digits and hyphens") -}}
{{- end -}}
{{- $deployment := printf "%s-%s" (include "fovea.fullname" .root) $pool.name -}}
{{- if gt (len $deployment) 46 -}}
{{- fail (printf "%s%s has %d characters; over 46 Kubernetes cuts the names of its pods, and no query would find them; set fullnameOverride" $at $deployment (len $deployment)) -}}
{{- end -}}
{{- include "fovea.checkLabels" (dict "at" (print $at "podLabels") "labels" $pool.podLabels) -}}
{{- if not $pool.image.repository -}}
{{- fail (print $at "image.repository is empty: build the image from docker/ and name it") -}}
{{- end -}}
{{- include "fovea.checkRepository" (dict "at" $at "repository" $pool.modelRepository) -}}
{{- if and $pool.engines.enabled (lt (int $pool.gpu.count) 1) -}}
{{- fail (print $at "profile " $pool.profile " needs gpu.count ≥ 1: its engines are built on the node's own GPU") -}}
{{- end -}}
{{- include "fovea.checkAutoscaling" (dict "at" $at "pool" $pool) -}}
{{- end -}}

{{- define "fovea.checkRepository" -}}
{{- $repository := .repository -}}
{{- if and (has $repository.type (list "image" "imageCopy")) (not $repository.image.repository) -}}
{{- fail (printf "%smodelRepository.type %s needs modelRepository.image.repository" .at $repository.type) -}}
{{- end -}}
{{- if and (eq $repository.type "pvc") (not $repository.pvc.claimName) -}}
{{- fail (print .at "modelRepository.type pvc needs modelRepository.pvc.claimName") -}}
{{- end -}}
{{- if and (eq $repository.type "objectStorage") (not $repository.objectStorage.url) -}}
{{- fail (print .at "modelRepository.type objectStorage needs modelRepository.objectStorage.url") -}}
{{- end -}}
{{- if and (ne $repository.type "image") (not $repository.digest) -}}
{{- fail (printf "%smodelRepository.type %s needs modelRepository.digest: what is copied could be any release" .at $repository.type) -}}
{{- end -}}
{{- if and (eq $repository.type "image") (not $repository.digest) (not $repository.image.digest) -}}
{{- fail (print .at "modelRepository: name the release by modelRepository.digest or by modelRepository.image.digest; a tag can be moved") -}}
{{- end -}}
{{- end -}}

{{- define "fovea.checkAutoscaling" -}}
{{- $scaling := .pool.autoscaling -}}
{{- if ne $scaling.type "none" -}}
{{- if gt (int $scaling.minReplicas) (int $scaling.maxReplicas) -}}
{{- fail (printf "%sautoscaling.minReplicas %d is over maxReplicas %d" .at (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}
{{- end -}}
{{- if and (eq (int $scaling.minReplicas) 0) (or (ne $scaling.type "keda") (not $scaling.keda.activation.query)) -}}
{{- fail (print .at "autoscaling.minReplicas 0 needs type keda and keda.activation.query: at zero Triton has no metrics, and nothing would wake it") -}}
{{- end -}}
{{- if and (eq $scaling.type "keda") (not $scaling.keda.prometheusAddress) -}}
{{- fail (print .at "autoscaling.type keda needs autoscaling.keda.prometheusAddress") -}}
{{- end -}}
{{- if and (eq $scaling.type "keda") (gt (int $scaling.keda.fallback.replicas) (int $scaling.maxReplicas)) -}}
{{- fail (printf "%sautoscaling.keda.fallback.replicas %d is over maxReplicas %d" .at (int $scaling.keda.fallback.replicas) (int $scaling.maxReplicas)) -}}
{{- end -}}
{{- if and (eq $scaling.type "hpa") (eq (int $scaling.hpa.cpuUtilization) 0) (not $scaling.hpa.metrics) -}}
{{- fail (print .at "autoscaling.type hpa needs hpa.cpuUtilization or hpa.metrics") -}}
{{- end -}}
{{- end -}}
{{- end -}}
