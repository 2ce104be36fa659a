import type { Config } from '../../profile/schema.ts';
import { backendsOf } from './datasources.ts';
import { shipped } from '../templates.ts';

interface Panel {
  type: string;
  datasource?: { uid?: string } | null;
  targets?: { datasource?: { uid?: string } }[];
}

interface Variable {
  name: string;
  label?: string;
  datasource?: { uid?: string } | null;
}

interface Dashboard {
  panels: Panel[];
  templating?: { list: Variable[] };
}

/** Dashboards by file name, those that the profile wants. Panels whose datasource is switched off are left out, and dashboards that lose all of them. */
export function dashboards(config: Config): Record<string, string> {
  const backends = backendsOf(config);
  const all = ['prometheus', 'loki', 'tempo'];
  const missing = all.filter((uid) => !backends.has(uid));
  const files = shipped(config, 'templates/dashboards', '.json');
  if (missing.length === 0) return Object.fromEntries(files);
  return Object.fromEntries(
    files.flatMap(([name, text]) => {
      const board = JSON.parse(text) as Dashboard;
      const lost = (uid: string | undefined): boolean => uid !== undefined && missing.includes(uid);
      const kept = board.panels.filter(
        (panel) =>
          !lost(panel.datasource?.uid) && !(panel.targets ?? []).some((target) => lost(target.datasource?.uid)),
      );
      const panels = withoutEmptyRows(kept);
      if (!panels.some((panel) => panel.type !== 'row' && panel.type !== 'text')) return [];
      const list = (board.templating?.list ?? []).map((variable) =>
        lost(variable.datasource?.uid) ? typed(variable) : variable,
      );
      return [[name, JSON.stringify({ ...board, panels, templating: { ...board.templating, list } }, null, 2)]];
    }),
  );
}

function withoutEmptyRows(panels: Panel[]): Panel[] {
  return panels.filter(
    (panel, i) => panel.type !== 'row' || (panels[i + 1] !== undefined && panels[i + 1]?.type !== 'row'),
  );
}

/** A variable whose values nobody can list any more: a pattern to type, so that the queries that name it still work. */
function typed({ name, label }: Variable): Variable & Record<string, unknown> {
  return { name, ...(label ? { label } : {}), type: 'textbox', query: '.*', current: { text: '.*', value: '.*' } };
}
