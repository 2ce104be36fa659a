/** Ownership labels: uninstall finds our objects by them and removes nothing else. */
export const PART_OF = 'genai-obs';
export const PART_OF_LABEL = 'app.kubernetes.io/part-of';
export const MANAGED_BY_LABEL = 'app.kubernetes.io/managed-by';
export const OWN_SELECTOR = `${PART_OF_LABEL}=${PART_OF}`;

/** Labels of objects that we apply; helm sets managed-by on those of charts. */
export function ownLabels(component: string): Record<string, string> {
  return {
    'app.kubernetes.io/name': component,
    [PART_OF_LABEL]: PART_OF,
    [MANAGED_BY_LABEL]: PART_OF,
  };
}

/** ConfigMap with the time of the last backup: `data.last`, ISO 8601. The check MNT-03 reads it. */
export const BACKUP_RECORD = 'genai-obs-backup';

/** Secret with Grafana's administrator: keys admin-user and admin-password. */
export const GRAFANA_ADMIN = 'grafana-admin';

/** On objects outside the home namespace: the home namespace of their installation. */
export const HOME_ANNOTATION = 'genai-obs.io/home';
