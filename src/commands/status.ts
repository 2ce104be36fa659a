import { installed, openSession, withCharts } from '../app/session.ts';
import { EXIT } from '../core/errors.ts';
import { explainKube } from '../adapters/kube.ts';
import { releasesIn } from '../adapters/helm.ts';
import { namespacesOfRecords, observe } from '../engine/steps/index.ts';
import { buildPlan } from '../engine/plan/index.ts';
import { paintStdout } from '../ui/paint.ts';

export interface StatusOptions {
  context?: string | undefined;
  namespace?: string | undefined;
  json?: boolean | undefined;
}

/** One line per step: what the journal says and what the cluster says. Exit code 3 when they differ from done. */
export async function status(options: StatusOptions): Promise<number> {
  const session = await openSession(options);
  const { journal, config } = await installed(session);
  const steps = buildPlan(config).filter((step) => step.kind !== 'gate');
  const context = {
    ...withCharts(session, config),
    releases: await releasesIn(session.kube, namespacesOfRecords(steps, session.namespace)),
  };
  const rows = await Promise.all(
    steps.map(async (step) => ({
      id: step.id,
      phase: step.phase,
      title: step.title,
      journal: journal.steps[step.id]?.state ?? 'not started',
      ...(await observe(step, context)),
    })),
  ).catch((error: unknown) => Promise.reject(explainKube(error, session.kube, 'reading the installation')));
  const good = rows.every((row) => row.state === 'done');
  if (options.json) {
    process.stdout.write(
      `${JSON.stringify({ namespace: config.namespace, profile: config.profile, tool: journal.tool, verified: journal.steps['verify']?.state ?? 'not started', steps: rows }, null, 2)}\n`,
    );
  } else {
    const paint = paintStdout();
    const lines = rows.map(({ state, title, detail, journal: told }) => {
      const note = detail ?? (state === 'done' ? '' : `journal: ${told}`);
      // States first: names of claims that operators make have a hundred characters.
      return `${state === 'done' ? paint.ok('✔') : paint.fail('✖')} ${state.padEnd(8)} ${title}${note && paint.dim(`  ${note}`)}`;
    });
    const verified = journal.steps['verify'];
    lines.push(
      '',
      `profile ${config.profile} in namespace ${config.namespace}, by ${journal.tool}; verification ${verified ? `${verified.state} at ${verified.at}` : 'has not run'}`,
    );
    process.stdout.write(`${lines.join('\n')}\n`);
  }
  return good ? EXIT.ok : EXIT.check;
}
