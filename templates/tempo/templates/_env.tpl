{{/* GOMEMLIMIT: collect garbage harder near the limit instead of being killed. extraEnv: credentials of object storage. */}}
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
