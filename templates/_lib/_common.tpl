{{/* scripts/charts.mjs copies the files of templates/_lib into the charts that use them. */}}

{{- define "selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "podLabels" -}}
{{ include "selector" . }}
app.kubernetes.io/component: {{ index .Chart.Annotations "genai-obs/component" }}
app.kubernetes.io/part-of: genai-obs
{{- end }}

{{/* The chart's own labels win, because selectors depend on them. */}}
{{- define "labels" -}}
{{ mergeOverwrite (deepCopy (.Values.labels | default dict)) (include "podLabels" . | fromYaml) | toYaml }}
{{- end }}

{{/* Name of cluster-scoped objects: two installations in one cluster must not share them. */}}
{{- define "clusterName" -}}
{{ .Release.Namespace }}-{{ .Release.Name }}
{{- end }}

{{- define "config" -}}
{{- $base := .Files.Get "config.yaml" | fromYaml }}
{{- with $base.Error }}{{ fail (print "config.yaml: " .) }}{{ end }}
{{- $config := .Values.config | default $base | deepCopy }}
{{- /* Before 1.33, kubelets serve volume metadata only to nodes/proxy, which allows any command on the node. */}}
{{- if and (semverCompare "<1.33.0-0" .Capabilities.KubeVersion.Version) (kindIs "map" $config.receivers) (dig "kubeletstats" dict $config.receivers) }}
{{- $_ := unset $config.receivers.kubeletstats "extra_metadata_labels" }}
{{- end }}
{{- $config | toYaml }}
{{- end }}

{{/* A changed configuration or ConfigMap rolls the pods. */}}
{{- define "podAnnotations" -}}
checksum/config: {{ include "config" . | sha256sum }}
{{- range $key, $sum := .Values.checksums }}
checksum/{{ $key }}: {{ $sum | quote }}
{{- end }}
{{- end }}

{{- define "data" -}}
{{- if .Values.storage.claim -}}
persistentVolumeClaim:
  claimName: {{ .Values.storage.claim }}
{{- else -}}
emptyDir: {}
{{- end }}
{{- end }}

{{/* securityContext of pods that do not run as root; the argument is the user of the upstream image. */}}
{{- define "podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Every second, so that install does not wait longer than the program needs; 5 minutes for slow disks. */}}
{{- define "startup" -}}
periodSeconds: 1
timeoutSeconds: 2
failureThreshold: 300
{{- end }}
