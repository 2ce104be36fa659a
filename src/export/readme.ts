import type { Step } from '../engine/types.ts';
import type { Config } from '../profile/schema.ts';

/** How to use the module, and what it does not do. */
export function readme(config: Config, steps: Step[], variables: string[]): string {
  const provided = steps.flatMap((step) => (step.kind === 'release' && step.provided ? [`\`${step.id}\``] : []));
  const secrets = variables.filter((name) => name !== 'kubeconfig' && name !== 'kube_context');
  const lines = [
    `# ${config.profile} with Terraform`,
    '',
    `Written by \`genai-obs export terraform\` for namespace ${config.namespace}. Write it anew after a change of the configuration; what you edit here is lost then.`,
    '',
    '```sh',
    'terraform init',
    `${secrets.map((name) => `export TF_VAR_${name}=…\n`).join('')}terraform apply -var kube_context=$(kubectl config current-context)`,
    '```',
    '',
    '- `kubernetes_manifest` asks the cluster when it plans: the cluster must be there before.',
    '- Terraform keeps every value in its state, the secrets too: put the state where only you can read it.',
    '- Charts of genai-obs, definitions and objects of new kinds lie in `charts/`, values of releases in `values/`, plain objects in `objects/`.',
    ...(provided.length
      ? [
          `- genai-obs leaves out what the cluster has already; Terraform does not look. Remove from main.tf what yours brings: ${provided.join(', ')}.`,
        ]
      : []),
    '- Is it well? `genai-obs doctor -f config.yaml`, with `--probe` to send a trace, a metric and a log. Other commands want an installation of their own.',
    '- Not here: the preflight checks, the wait for what operators make, and the verification. For webhooks it pauses, and does not ask them.',
    '- Use one of the two, Terraform or `genai-obs install`: a namespace that both manage has two owners.',
    '- `terraform destroy` keeps CustomResourceDefinitions; it deletes claims, and with them data.',
    '',
  ];
  return lines.join('\n');
}
