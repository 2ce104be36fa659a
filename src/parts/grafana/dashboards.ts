import type { Config } from '../../profile/schema.ts';
import { backendsOf } from './datasources.ts';
import { templateFiles } from '../templates.ts';

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

/** Dashboards by file name, without panels of disabled backends and without dashboards that lose all panels. */
export function dashboards(config: Config): Record<string, string> {
  const backends = backendsOf(config);
  const all = ['prometheus', 'loki', 'tempo'];
  const missing = all.filter((uid) => !backends.has(uid));
  const files = templateFiles(config, 'templates/dashboards', '.json');
  if (missing.length === 0) return Object.fromEntries(files);
  return Object.fromEntries(
    files.flatMap(([name, text]) => {
      const board = JSON.parse(text) as Dashboard;
      const isMissing = (uid: string | undefined): boolean => uid !== undefined && missing.includes(uid);
      const available = board.panels.filter(
        (panel) =>
          !isMissing(panel.datasource?.uid) &&
          !(panel.targets ?? []).some((target) => isMissing(target.datasource?.uid)),
      );
      const panels = withoutEmptyRows(available);
      if (!panels.some((panel) => panel.type !== 'row' && panel.type !== 'text')) return [];
      const list = (board.templating?.list ?? []).map((variable) =>
        isMissing(variable.datasource?.uid) ? textBox(variable) : variable,
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

/** Replaces a variable that cannot be queried by a text box, so that queries with it still work. */
function textBox({ name, label }: Variable): Variable & Record<string, unknown> {
  return { name, ...(label ? { label } : {}), type: 'textbox', query: '.*', current: { text: '.*', value: '.*' } };
}
