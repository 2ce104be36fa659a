import { releasesIn } from '../adapters/helm.ts';
import { explainKube } from '../adapters/kube.ts';
import { type Session, installed, openSession, withCharts } from '../app/session.ts';
import { EXIT } from '../core/errors.ts';
import { buildPlan } from '../engine/plan/index.ts';
import type { Journal } from '../engine/state/journal.ts';
import { namespacesOfRecords, observe } from '../engine/steps/index.ts';
import type { Observation } from '../engine/steps/types.ts';
import type { Config } from '../profile/schema.ts';
import { paintStdout } from '../ui/paint.ts';

export interface StatusOptions {
  context?: string | undefined;
  namespace?: string | undefined;
  json?: boolean | undefined;
}

/** `genai-obs status`: journal and live state of each step. Exit code 3 when a step is not done. */
export async function status(options: StatusOptions): Promise<number> {
  const session = await openSession(options);
  const { journal, config } = await installed(session);
  const rows = await rowsOf(session, journal, config).catch((error: unknown) =>
    Promise.reject(explainKube(error, session.kube, 'reading the installation')),
  );
  const verified = journal.steps['verify'];
  const { namespace, profile } = config;
  const { tool } = journal;
  if (options.json) {
    const data = { namespace, profile, tool, verified: verified?.state ?? 'not started', steps: rows };
    process.stdout.write(`${JSON.stringify(data, null, 2)}\n`);
  } else {
    const when = verified ? `${verified.state} at ${verified.at}` : 'not run yet';
    const where = `profile ${profile} in namespace ${namespace}`;
    const summary = `${where}, installed by genai-obs ${tool}; verification ${when}`;
    process.stdout.write([...linesOf(rows), '', summary, ''].join('\n'));
  }
  return rows.every((row) => row.state === 'done') ? EXIT.ok : EXIT.check;
}

type Row = Observation & { id: string; phase: string; title: string; journal: string };

async function rowsOf(session: Session, journal: Journal, config: Config): Promise<Row[]> {
  const steps = buildPlan(config).filter((step) => step.kind !== 'gate');
  const releases = await releasesIn(session.kube, namespacesOfRecords(steps, session.namespace));
  const context = { ...withCharts(session, config), releases };
  return Promise.all(
    steps.map(async (step) => {
      const { id, phase, title } = step;
      const state = journal.steps[id]?.state ?? 'not started';
      return { id, phase, title, journal: state, ...(await observe(step, context)) };
    }),
  );
}

/** The state comes first, because names of claims can have a hundred characters. */
function linesOf(rows: Row[]): string[] {
  const paint = paintStdout();
  return rows.map(({ state, title, detail, journal }) => {
    const mark = state === 'done' ? paint.ok('✔') : paint.fail('✖');
    const note = detail ?? (state === 'done' ? '' : `journal: ${journal}`);
    return `${mark} ${state.padEnd(8)} ${title}${note && paint.dim(`  ${note}`)}`;
  });
}
