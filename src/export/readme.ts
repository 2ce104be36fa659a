import { type Step, stepsOf } from '../engine/steps/index.ts';
import type { Config } from '../profile/schema.ts';

export function readme(config: Config, steps: Step[], secrets: string[]): string {
  const provided = stepsOf(steps, 'release').flatMap((step) => (step.provided ? [`\`${step.id}\``] : []));
  const skipped =
    provided.length === 0
      ? []
      : [
          '- `genai-obs install` skips what the cluster already has; Terraform does not check. ' +
            `Remove from main.tf.json what your cluster has: ${provided.join(', ')}.`,
        ];
  const lines = [
    `# ${config.profile} with Terraform`,
    '',
    `\`genai-obs export terraform\` wrote this module for namespace ${config.namespace}. ` +
      'Write it again after a change of the configuration: your edits here are lost then.',
    '',
    '```sh',
    'terraform init',
    ...secrets.map((name) => `export TF_VAR_${name}=…`),
    'terraform apply -var kube_context=$(kubectl config current-context)',
    '```',
    '',
    '- `kubernetes_manifest` needs the cluster when it plans: create the cluster first.',
    '- Terraform keeps every value in its state, secrets too: store the state where only you can read it.',
    '- `charts/` contains our charts, CRDs and custom resources; `values/` the values of releases; ' +
      '`objects/` plain objects.',
    ...skipped,
    '- To check the stack: `genai-obs doctor -f config.yaml`; `--probe` also sends a trace, a metric and a log. ' +
      'Other commands need an installation by `genai-obs install`.',
    '- Not included: preflight checks, waiting for workloads of operators, verification. ' +
      'Terraform pauses 20 s for each webhook.',
    '- Use either Terraform or `genai-obs install`: a namespace that both manage has two owners.',
    '- `terraform destroy` keeps CustomResourceDefinitions; it deletes claims, and their data with them.',
    '',
  ];
  return lines.join('\n');
}
