{{/* GOMEMLIMIT makes Go collect garbage before the memory limit kills it. extraEnv: credentials of object storage. */}}
{{- define "env" -}}
env:
  - name: GOMEMLIMIT
    valueFrom:
      resourceFieldRef:
        resource: limits.memory
{{- with .Values.extraEnv }}
{{ toYaml . | indent 2 }}
{{- end }}
{{- end }}
