import { ADDONS } from '../../components/addons/index.ts';
import type { SecretNeed, SecretValue } from '../../parts/types.ts';
import { PART_OF, ownLabels } from '../../core/labels.ts';
import { type Config, isEnabled, namespaceOf } from '../../profile/schema.ts';
import { namespaceStepId, secretStepId } from './ids.ts';
import type { SecretStep } from '../steps/secret.ts';

/** Secrets with values from the user: of add-ons, and of the section `secrets`, which overrides the source. */
export function givenSecretSteps(config: Config): SecretStep[] {
  const steps = new Map<string, SecretStep>();
  for (const { name, namespace, key, value } of [...needed(config), ...listed(config)]) {
    const id = secretStepId(config, namespace, name);
    const step: SecretStep = steps.get(id) ?? {
      kind: 'secret',
      id,
      phase: 'secrets',
      title: `Secret ${name}`,
      needs: [namespaceStepId(config, namespace)],
      object: {
        apiVersion: 'v1',
        kind: 'Secret',
        type: 'Opaque',
        metadata: { name, namespace, labels: ownLabels(PART_OF) },
      },
      keys: {},
      data: true,
    };
    steps.set(id, { ...step, keys: { ...step.keys, [key]: value } });
  }
  return [...steps.values()];
}

type Given = SecretNeed & { namespace: string };

function needed(config: Config): Given[] {
  return ADDONS.filter((addon) => isEnabled(config, addon.id)).flatMap((addon) =>
    (addon.secrets?.(config) ?? []).map((need) => ({ ...need, namespace: namespaceOf(config, addon.id) })),
  );
}

function listed(config: Config): Given[] {
  return config.secrets.map(({ name, namespace, key, env, file }): Given => {
    const value: SecretValue = env === undefined ? { fromFile: file ?? '' } : { fromEnv: env };
    return { name, namespace: namespace || config.namespace, key, value };
  });
}
