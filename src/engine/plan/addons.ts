import { ADDONS } from '../../components/addons/index.ts';
import type { Addon } from '../../parts/types.ts';
import { type Config, isEnabled, namespaceOf } from '../../profile/schema.ts';
import { namespaceStepId, secretStepId } from './ids.ts';
import type { Step } from '../steps/index.ts';

/** CRDs, then the release, then its webhook: each waits for the one before. */
export const addonSteps = (config: Config): Step[] =>
  ADDONS.filter((addon) => isEnabled(config, addon.id)).flatMap((addon) => stepsOf(config, addon));

function stepsOf(config: Config, addon: Addon): Step[] {
  const { id, title, phase, chart, crds, webhook, conversion, objects, provided } = addon;
  const namespace = namespaceOf(config, id);
  const secrets = (addon.secrets?.(config) ?? []).map(({ name }) => secretStepId(config, namespace, name));
  const before = [namespaceStepId(config, namespace), ...new Set(secrets), ...(addon.needs?.(config) ?? [])];
  const steps: Step[] = [];
  if (crds)
    steps.push({
      kind: 'crds',
      id: `crds/${id}`,
      phase,
      title: `CRDs of ${title}`,
      needs: ['namespace'],
      chart,
      values: crds,
      served: !webhook,
    });
  steps.push({
    kind: 'release',
    id: `release/${id}`,
    phase,
    title,
    needs: [...before, ...(crds ? [`crds/${id}`] : [])],
    release: addon.release,
    namespace,
    chart: { source: 'upstream', name: chart },
    values: addon.values(config),
    workloads: addon.workloads(config).map((workload) => ({ ...workload, namespace })),
    ...(provided ? { provided } : {}),
  });
  if (objects)
    steps.push({
      kind: 'objects',
      id: `objects/${id}`,
      phase,
      title: `Objects of ${title}`,
      needs: [`release/${id}`],
      objects: objects(config),
    });
  if (webhook) {
    const tried = webhook(config);
    const places = tried.flatMap(({ metadata }) =>
      metadata.namespace ? [namespaceStepId(config, metadata.namespace)] : [],
    );
    steps.push({
      kind: 'webhook',
      id: `webhook/${id}`,
      phase,
      title: `Webhook of ${title}`,
      needs: [`release/${id}`, ...places],
      objects: tried,
      ...(conversion ? { conversion } : {}),
    });
  }
  return steps;
}
