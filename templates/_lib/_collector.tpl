{{/* Fields of every collector's container. */}}
{{- define "collector" -}}
image: {{ .Values.image }}
imagePullPolicy: IfNotPresent
args:
  - --config=/etc/otelcol/config.yaml
env:
  - name: CLUSTER_NAME
    value: {{ .Values.clusterName | quote }}
  - name: ENVIRONMENT
    value: {{ .Values.environment | quote }}
  - name: NAMESPACE
    valueFrom:
      fieldRef:
        fieldPath: metadata.namespace
  - name: K8S_NODE_NAME
    valueFrom:
      fieldRef:
        fieldPath: spec.nodeName
  - name: K8S_NODE_IP
    valueFrom:
      fieldRef:
        fieldPath: status.hostIP
  - name: GOMEMLIMIT
    valueFrom:
      resourceFieldRef:
        resource: limits.memory
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
startupProbe:
  httpGet: {path: /, port: health}
  {{- include "startup" . | nindent 2 }}
readinessProbe:
  httpGet: {path: /, port: health}
  periodSeconds: 5
  timeoutSeconds: 3
livenessProbe:
  httpGet: {path: /, port: health}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
resources:
  {{- toYaml .Values.resources | nindent 2 }}
{{- end }}

{{- define "secretMounts" -}}
{{- range .Values.secrets }}
- name: {{ .name }}
  mountPath: {{ .mountPath }}
  readOnly: true
{{- end }}
{{- end }}

{{- define "secretVolumes" -}}
{{- range .Values.secrets }}
- name: {{ .name }}
  secret:
    secretName: {{ .secret }}
{{- end }}
{{- end }}
