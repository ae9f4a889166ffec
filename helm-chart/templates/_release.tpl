{{/* Init containers and volumes that bring the release in, check it, and build its engines. */}}

{{/* Arguments: root, pool. */}}
{{- define "fovea.initContainers" -}}
{{- $repository := .pool.modelRepository -}}
{{- $image := include "fovea.imageReference" .pool.image -}}
{{- if eq (include "fovea.copies" .pool) "true" }}
{{ include "fovea.fetchContainer" . }}
{{- end }}
- name: verify
  image: {{ $image }}
  imagePullPolicy: {{ .pool.image.pullPolicy }}
  command: {{ concat (list "/bin/bash" "/fovea/verify.sh") (.pool.engines.enabled | ternary (list "--plans-are-rebuilt") list) (list (include "fovea.repositoryPath" .pool) $repository.digest) .root.Values.tasks | toJson }}
  {{- include "fovea.initCommon" . | nindent 2 }}
{{- if .pool.engines.enabled }}
- name: build-engines
  image: {{ $image }}
  imagePullPolicy: {{ .pool.image.pullPolicy }}
  command: ["/bin/bash", "/fovea/build-engines.sh", "/models", "/engines", {{ .pool.engines.buildSeconds | int | quote }}]
  env:
    - name: HOME
      value: /tmp
  resources:
    {{- include "fovea.resources" . | nindent 4 }}
  securityContext:
    {{- toYaml .root.Values.securityContext | nindent 4 }}
  volumeMounts:
    {{- include "fovea.releaseMounts" (dict "pool" .pool "readOnly" false) | nindent 4 }}
    - name: engines
      mountPath: /engines
    - name: scratch
      mountPath: /tmp
{{- end }}
{{- end -}}

{{/*
It runs again over the first copy when the node restarts: it has to replace what differs there, also what is read-only.
*/}}
{{- define "fovea.fetchContainer" -}}
{{- $repository := .pool.modelRepository -}}
{{- $path := trimSuffix "/" $repository.path -}}
- name: fetch
  {{- if eq $repository.type "imageCopy" }}
  {{- if eq (clean $repository.path) "/" }}
  {{- fail (printf "pool %s: modelRepository.type imageCopy would copy the whole root of the image, /proc and all: set modelRepository.path to the folder in it that holds the release, such as /release" .pool.name) }}
  {{- end }}
  image: {{ include "fovea.imageReference" $repository.image }}
  imagePullPolicy: {{ $repository.image.pullPolicy }}
  command: {{ list "cp" "-Rf" (print $path "/.") "/models/" | toJson }}
  {{- else if eq $repository.type "objectStorage" }}
  image: {{ $repository.objectStorage.image }}
  args: {{ concat (list "sync" "--config=" (include "fovea.objectStorageRemote" $repository) "/models") $repository.objectStorage.extraArgs | toJson }}
  env:
    - name: HOME
      value: /tmp
    {{- with $repository.objectStorage.env }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- else }}
  image: {{ include "fovea.imageReference" .pool.image }}
  imagePullPolicy: {{ .pool.image.pullPolicy }}
  command: {{ list "cp" "-Rf" (print "/release" $path "/.") "/models/" | toJson }}
  {{- end }}
  {{- include "fovea.initCommon" (merge (dict "writes" true) .) | nindent 2 }}
{{- end -}}

{{/* rclone's name of a bucket, with the identity of the environment. */}}
{{- define "fovea.objectStorageRemote" -}}
{{- $url := urlParse .objectStorage.url -}}
{{- $backends := dict "s3" "s3,provider=AWS,env_auth=true" "gs" "gcs,env_auth=true" "azblob" "azureblob,env_auth=true" -}}
{{- if not (hasKey $backends $url.scheme) -}}
{{- fail (printf "modelRepository.objectStorage.url %q begins with none of s3://, gs://, azblob://" .objectStorage.url) -}}
{{- end -}}
:{{ get $backends $url.scheme }}:{{ $url.host }}{{ trimSuffix "/" $url.path }}{{ trimSuffix "/" .path }}
{{- end -}}

{{- define "fovea.initCommon" -}}
resources:
  requests:
    cpu: 100m
    memory: 128Mi
    ephemeral-storage: 256Mi
  limits:
    memory: 512Mi
    ephemeral-storage: 256Mi
securityContext:
  {{- toYaml .root.Values.securityContext | nindent 2 }}
volumeMounts:
  {{- include "fovea.releaseMounts" (dict "pool" .pool "readOnly" (not .writes)) | nindent 2 }}
  - name: scratch
    mountPath: /tmp
{{- end -}}

{{/* Where the release and the pod's copy of it are seen. Arguments: pool, readOnly. */}}
{{- define "fovea.releaseMounts" -}}
{{- if has .pool.modelRepository.type (list "image" "pvc") -}}
- name: release
  mountPath: /release
  readOnly: true
{{ end -}}
{{- if eq (include "fovea.copies" .pool) "true" -}}
- name: models
  mountPath: /models
  readOnly: {{ .readOnly }}
{{ end -}}
- name: scripts
  mountPath: /fovea
  readOnly: true
{{- end -}}

{{/* Arguments: root, pool. */}}
{{- define "fovea.volumes" -}}
{{- $repository := .pool.modelRepository -}}
- name: scripts
  configMap:
    name: {{ include "fovea.fullname" .root }}-scripts
    defaultMode: 0555
- name: scratch
  emptyDir: {}
- name: shared-memory
  emptyDir:
    medium: Memory
    sizeLimit: {{ .pool.memory.shared }}
{{- if eq $repository.type "image" }}
- name: release
  image:
    reference: {{ include "fovea.imageReference" $repository.image }}
    pullPolicy: {{ $repository.image.pullPolicy }}
{{- else if eq $repository.type "pvc" }}
- name: release
  persistentVolumeClaim:
    claimName: {{ $repository.pvc.claimName }}
    readOnly: true
{{- end }}
{{- if eq (include "fovea.copies" .pool) "true" }}
- name: models
  emptyDir:
    sizeLimit: {{ $repository.sizeLimit }}
{{- end }}
{{- include "fovea.engineVolume" . }}
{{- if .root.Values.tls.enabled }}
- name: tls
  secret:
    secretName: {{ include "fovea.tlsSecretName" .root }}
    defaultMode: 0440
{{- end }}
{{- with .pool.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "fovea.engineVolume" -}}
{{- if .pool.engines.enabled }}
- name: engines
  {{- with .pool.engines.cache }}
  {{- if eq .type "pvc" }}
  persistentVolumeClaim:
    claimName: {{ default (printf "%s-engines" (include "fovea.fullname" $.root)) .claimName }}
  {{- else if eq .type "hostPath" }}
  hostPath:
    path: {{ .hostPath }}
    type: DirectoryOrCreate
  {{- else }}
  emptyDir:
    sizeLimit: {{ .size }}
  {{- end }}
  {{- end }}
{{- end }}
{{- end -}}
