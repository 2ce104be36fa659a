{{/* This file is the same in every chart; test/unit/charts.test.ts keeps it so. */}}

{{- define "selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "podLabels" -}}
{{ include "selector" . }}
app.kubernetes.io/component: {{ index .Chart.Annotations "genai-obs/component" }}
app.kubernetes.io/part-of: genai-obs
{{- end }}

{{/* The chart's own labels win: selectors depend on them. */}}
{{- define "labels" -}}
{{ mergeOverwrite (deepCopy (.Values.labels | default dict)) (include "podLabels" . | fromYaml) | toYaml }}
{{- end }}

{{/* Name of cluster-scoped objects: two installs in one cluster must not share them. */}}
{{- define "clusterName" -}}
{{ .Release.Namespace }}-{{ .Release.Name }}
{{- end }}

{{- define "config" -}}
{{- $base := .Files.Get "config.yaml" | fromYaml }}
{{- with $base.Error }}{{ fail (print "config.yaml: " .) }}{{ end }}
{{- $config := .Values.config | default $base | deepCopy }}
{{- /* Kubelets before 1.33 give volume metadata only with nodes/proxy, which is the right to run anything on the node. */}}
{{- if and (semverCompare "<1.33.0-0" .Capabilities.KubeVersion.Version) (dig "receivers" "kubeletstats" dict $config) }}
{{- $_ := unset $config.receivers.kubeletstats "extra_metadata_labels" }}
{{- end }}
{{- $config | toYaml }}
{{- end }}

{{/* A changed configuration, here or applied by genai-obs, replaces the pods. */}}
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

{{/* Pod fields of every workload that is not root; the argument is the upstream image's user. */}}
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

{{/* Startup is asked every second, so that an install ends when the program is ready and not seconds later;
     it may take minutes on a slow disk. */}}
{{- define "startup" -}}
periodSeconds: 1
timeoutSeconds: 2
failureThreshold: 300
{{- end }}
