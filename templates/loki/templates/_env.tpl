{{/* GOMEMLIMIT: collect garbage harder near the limit instead of being killed. envFromSecret: credentials of object storage. */}}
{{- define "env" -}}
env:
  - name: GOMEMLIMIT
    valueFrom:
      resourceFieldRef:
        resource: limits.memory
{{- with .Values.envFromSecret }}
envFrom:
  - secretRef:
      name: {{ . }}
{{- end }}
{{- end }}
