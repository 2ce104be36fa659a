/** Ownership labels: what we create is found again by these, and only that is ever removed. */
export const PART_OF = 'genai-obs';
export const PART_OF_LABEL = 'app.kubernetes.io/part-of';
export const MANAGED_BY_LABEL = 'app.kubernetes.io/managed-by';
export const OWN_SELECTOR = `${PART_OF_LABEL}=${PART_OF}`;

/** Labels of objects that we apply ourselves (helm sets managed-by on its own). */
export function ownLabels(component: string): Record<string, string> {
  return {
    'app.kubernetes.io/name': component,
    [PART_OF_LABEL]: PART_OF,
    [MANAGED_BY_LABEL]: PART_OF,
  };
}

/** ConfigMap that remembers when the last backup was written: `data.last`, an ISO time. The doctor's MNT-03 reads it. */
export const BACKUP_RECORD = 'genai-obs-backup';

/** Secret with Grafana's administrator: keys admin-user and admin-password. */
export const GRAFANA_ADMIN = 'grafana-admin';

/** On cluster-wide objects and further namespaces: the home namespace of the installation that made them. */
export const HOME_ANNOTATION = 'genai-obs.io/home';
