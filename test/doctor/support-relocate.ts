import type { FactMap } from '../../src/checks/lib/facts.ts';
import { accountOf, hostOf, type Place, placeOf, podLabelsOf, releaseOf } from '../../src/parts/catalog.ts';
import { ownAddons } from '../../src/components/addons/index.ts';
import type { KubeObject } from '../../src/core/types.ts';
import { COMPONENT_IDS, type ComponentId, type Config, namespaceOf, namespacesOf } from '../../src/profile/schema.ts';

/**
 * The facts of one installation as another placement of the same stack would give them: objects of other charts, with
 * other names, in other namespaces. Everything else stays, so checks must give the same verdicts.
 */
export function relocation(from: Config, to: Config): (facts: FactMap) => FactMap {
  const one = new Relocation(from, to);
  return (facts) => one.facts(facts);
}

type Rec = Record<string, unknown>;
const isRec = (value: unknown): value is Rec => typeof value === 'object' && value !== null && !Array.isArray(value);
const NAME = 'app.kubernetes.io/name';
const MANAGED = 'app.kubernetes.io/managed-by';
const PART_OF = 'app.kubernetes.io/part-of';
/** Objects that belong to no chart, by the component that reads them. */
const READERS: Record<string, ComponentId> = {
  'prometheus-rules': 'prometheus',
  'grafana-datasources': 'grafana',
  'genai-dashboards': 'grafana',
  'grafana-dashboards-provider': 'grafana',
  'grafana-admin': 'grafana',
};

class Relocation {
  readonly moves: { id: ComponentId; from: Place; to: Place }[];
  /** A case edits a few facts of hundreds: the others, which are the same objects again, are moved once. */
  private readonly moved = new WeakMap<object, unknown>();

  constructor(
    readonly from: Config,
    readonly to: Config,
  ) {
    // The longest name first: `opentelemetry-collector-x` is no pod of `opentelemetry`.
    this.moves = COMPONENT_IDS.map((id) => ({ id, from: placeOf(from, id), to: placeOf(to, id) })).toSorted(
      (a, b) => b.from.workload.name.length - a.from.workload.name.length,
    );
  }

  facts(facts: FactMap): FactMap {
    const out: FactMap = {};
    for (const [key, fact] of Object.entries(facts))
      out[this.key(key)] = fact.ok ? { ok: true, value: this.once(key, fact.value) } : fact;
    for (const all of ['', '@all']) this.regroup(out, all);
    return out;
  }

  private key(key: string): string {
    const [, scheme, name = '', rest = ''] = /^(http|as):([^:]+)(:.*)$/.exec(key) ?? [];
    const move = this.moves.find(({ from }) => from.service.name === name);
    if (move) return `${scheme}:${scheme === 'as' ? accountOf(this.to, move.id) : move.to.service.name}${rest}`;
    const all = namespacesOf(this.to);
    const matcher = all.length > 1 ? `=~"${all.join('|')}"` : `="${all[0]}"`;
    return key.replace(`k8s_namespace_name="${this.from.namespace}"`, `k8s_namespace_name${matcher}`);
  }

  private once(key: string, value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return this.fact(key, value);
    if (!this.moved.has(value)) this.moved.set(value, this.fact(key, value));
    return this.moved.get(value);
  }

  private fact(key: string, value: unknown): unknown {
    if (key === 'releases:helm') return this.releases(value as Rec[]);
    if (!key.startsWith('k8s:')) return this.walk(value, this.readerOf(key));
    if (!Array.isArray(value)) return value;
    const objects = (value as KubeObject[]).flatMap((object) => this.object(object));
    return key === 'k8s:Namespace' ? this.namespaces(objects) : objects;
  }

  /** Whose view a fact is: names of Services are short in the namespace of the one who uses them. */
  private readerOf(key: string): string {
    const id = COMPONENT_IDS.find((one) => key === `config:${one}`);
    return namespaceOf(this.to, id ?? (key.startsWith('grafana') ? 'grafana' : 'prometheus'));
  }

  private releases(rows: Rec[]): Rec[] {
    const moved = rows.flatMap((row) => {
      const release = releaseOf(this.to, row['name'] as ComponentId);
      return release ? [{ ...row, ...release }] : [];
    });
    const addons = ownAddons(this.to).map(({ id, release }) => ({
      name: release,
      namespace: namespaceOf(this.to, id),
    }));
    const added = addons.filter(
      (one) => !moved.some(({ name, namespace }) => name === one.name && namespace === one.namespace),
    );
    return [
      ...moved,
      ...added.map((release) => ({ ...release, revision: 1, status: 'deployed', chart: '', updated: '' })),
    ];
  }

  private namespaces(objects: KubeObject[]): KubeObject[] {
    const home = objects.find(({ metadata }) => metadata.name === this.from.namespace);
    if (!home) return objects;
    // Copies of their own: a case may edit one of them.
    const made = namespacesOf(this.to).map((name) => ({
      ...structuredClone(home),
      metadata: { ...home.metadata, name, labels: { ...home.metadata.labels, 'kubernetes.io/metadata.name': name } },
    }));
    return [...objects.filter((one) => one !== home), ...made];
  }

  private object(object: KubeObject): KubeObject[] {
    if (object.metadata.namespace !== undefined && object.metadata.namespace !== this.from.namespace) return [object];
    if (object.kind === 'NetworkPolicy') return this.policies(object);
    if (object.kind === 'ResourceQuota')
      return namespacesOf(this.to).map((namespace) => ({ ...object, metadata: { ...object.metadata, namespace } }));
    if (object.kind === 'Namespace') return [object];
    const move = this.ownerOf(object.metadata.name);
    const copy = this.walk(object, move?.to.namespace ?? this.to.namespace) as KubeObject;
    if (!move || object.metadata.name !== move.from.workload.name) return [copy];
    if (object.kind === 'Service') return [this.service(copy, move)];
    if (object.kind === 'ConfigMap') return [this.configMap(copy, move)];
    if (object.kind === move.from.workload.kind) copy.kind = move.to.workload.kind;
    return [copy];
  }

  private service(object: KubeObject, { from, to }: Relocation['moves'][number]): KubeObject {
    const spec = object['spec'] as { ports?: { port: number }[] } | undefined;
    const ports = (spec?.ports ?? []).map((one) =>
      one.port === from.service.port ? { ...one, port: to.service.port } : one,
    );
    return { ...object, metadata: { ...object.metadata, name: to.service.name }, spec: { ...spec, ports } };
  }

  private configMap(object: KubeObject, { to }: Relocation['moves'][number]): KubeObject {
    const { configMap } = to;
    if (!configMap) return object;
    const data = Object.entries((object['data'] ?? {}) as Rec).map(([key, text]) => [
      /\.(ya?ml|ini)$/.test(key) ? configMap.key : key,
      text,
    ]);
    const name = configMap.prefix ? `${configMap.name}-0a1b2c3d` : configMap.name;
    return { ...object, metadata: { ...object.metadata, name }, data: Object.fromEntries(data) as Rec };
  }

  /** What a policy meant for one namespace means for all of them together. */
  private policies(object: KubeObject): KubeObject[] {
    const all = namespacesOf(this.to);
    const namespaceSelector = {
      matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values: all }],
    };
    const open = (rule: unknown): unknown => {
      if (!isRec(rule)) return rule;
      const peers = (list: unknown) =>
        Array.isArray(list) ? list.map((peer: Rec) => (peer['ipBlock'] ? peer : { namespaceSelector, ...peer })) : list;
      return {
        ...rule,
        ...(rule['from'] ? { from: peers(rule['from']) } : {}),
        ...(rule['to'] ? { to: peers(rule['to']) } : {}),
      };
    };
    const spec = this.walk(object['spec'], this.to.namespace) as Rec;
    const rules = (key: string) => (Array.isArray(spec[key]) ? { [key]: spec[key].map(open) } : {});
    return all.map((namespace) => ({
      ...object,
      metadata: { ...object.metadata, namespace },
      spec: { ...spec, ...rules('ingress'), ...rules('egress') },
    }));
  }

  private ownerOf(name: string): Relocation['moves'][number] | undefined {
    const id = READERS[name] ?? /^sh\.helm\.release\.v1\.(.+)\.v\d+$/.exec(name)?.[1];
    return (
      this.moves.find((move) => move.id === id || move.from.claim?.name === name) ??
      this.moves.find(
        ({ from: { workload } }) =>
          name === workload.name || name.startsWith(`${workload.name}-`) || name.startsWith(`${workload.name}.`),
      )
    );
  }

  private walk(value: unknown, reader: string): unknown {
    if (typeof value === 'string') return this.text(value, reader);
    if (Array.isArray(value)) return value.map((item) => this.walk(item, reader));
    if (!isRec(value)) return value;
    const copy: Rec = {};
    for (const [key, item] of Object.entries(this.labels(value)))
      copy[
        /^[\w-]+\/[\w-]+$/.test(key)
          ? key
              .split('/')
              .map((part) => this.name(part))
              .join('/')
          : this.name(key)
      ] = this.walk(item, reader);
    this.rehome(value, copy);
    return copy;
  }

  /** References by namespace and name, kind and name. */
  private rehome(old: Rec, copy: Rec): void {
    const name = typeof old['name'] === 'string' ? old['name'] : undefined;
    const move = name === undefined ? undefined : this.ownerOf(name);
    if (old['namespace'] === this.from.namespace) copy['namespace'] = move?.to.namespace ?? this.to.namespace;
    if (move && name === move.from.workload.name && old['kind'] === move.from.workload.kind)
      copy['kind'] = move.to.workload.kind;
    if (move && old['kind'] === 'ServiceAccount') copy['name'] = accountOf(this.to, move.id);
    if (typeof old['serviceAccountName'] === 'string') {
      const owner = this.ownerOf(old['serviceAccountName']);
      if (owner) copy['serviceAccountName'] = accountOf(this.to, owner.id);
    }
    const release = old['meta.helm.sh/release-name'];
    if (typeof release === 'string' && this.moves.some(({ id }) => id === release)) {
      const now = releaseOf(this.to, release as ComponentId);
      copy['meta.helm.sh/release-name'] = now?.name;
      copy['meta.helm.sh/release-namespace'] = now?.namespace;
    }
    const slice = old['kubernetes.io/service-name'];
    const behind = typeof slice === 'string' ? this.ownerOf(slice) : undefined;
    if (behind) copy['kubernetes.io/service-name'] = behind.to.service.name;
  }

  /** Labels as the other chart sets them; what we apply ourselves keeps ours. */
  private labels(value: Rec): Rec {
    const move = this.moves.find(({ id }) => id === value[NAME]);
    if (!move || move.to.chart === 'genai-obs' || value[MANAGED] === 'genai-obs') return value;
    const { [PART_OF]: _ours, ...rest } = value;
    const theirs = Object.fromEntries(Object.entries(podLabelsOf(move.to)).filter(([key]) => key in value));
    return {
      ...rest,
      ...theirs,
      ...(value[MANAGED] && !releaseOf(this.to, move.id) ? { [MANAGED]: 'opentelemetry-operator' } : {}),
    };
  }

  private name(text: string): string {
    const cluster = text.startsWith(`${this.from.namespace}-`)
      ? this.moves.find(({ id }) => text === `${this.from.namespace}-${id}`)
      : undefined;
    if (cluster)
      return cluster.to.chart === 'genai-obs'
        ? `${cluster.to.namespace}-${cluster.id}`
        : accountOf(this.to, cluster.id);
    const claim = this.moves.find(({ from }) => from.claim?.name === text);
    if (claim) return claim.to.claim?.name ?? text;
    const move = this.moves.find(
      ({ from: { workload } }) =>
        text === workload.name ||
        (text.startsWith(workload.name) && /^[-./][^\s:]*$/.test(text.slice(workload.name.length))),
    );
    return move && !(text in READERS) ? move.to.workload.name + text.slice(move.from.workload.name.length) : text;
  }

  /** A name, or a text in which addresses of Services stand. */
  private text(text: string, reader: string): string {
    if (/^[\w.-]+\/[\w.-]+$/.test(text))
      return text
        .split('/')
        .map((part) => this.name(part))
        .join('/');
    if (!/[\s:]/.test(text)) return this.name(text);
    const image = this.moves.find(({ from }) => from.image === text);
    if (image) return image.to.image;
    const placed = text.replaceAll(new RegExp(`${this.from.namespace}/([\\w.-]+)`, 'g'), (_found, name: string) => {
      const move = this.ownerOf(name);
      return `${move?.to.namespace ?? this.to.namespace}/${this.name(name)}`;
    });
    return this.moves.reduce((out, { from, to }) => {
      const address = new RegExp(`(?<![\\w./-])(http://)?${from.service.name}(:\\d+)?(?![\\w.-])`, 'g');
      return out.replace(address, (found, scheme: string | undefined, port: string | undefined) => {
        if (!scheme && !port) return found;
        const own = port === undefined || port === `:${from.service.port}`;
        const target = own ? (scheme && to.service.port === 80 ? '' : `:${to.service.port}`) : port;
        return `${scheme ?? ''}${hostOf(to, reader)}${target}`;
      });
    }, placed);
  }

  /** A workload of another kind is in another list; a list that somebody broke stays as it is. */
  private regroup(facts: FactMap, all: string): void {
    const kinds = ['StatefulSet', 'Deployment', 'DaemonSet'];
    const lists = kinds.map((kind) => facts[`k8s:${kind}${all}`]);
    const objects = lists.flatMap((fact) =>
      fact?.ok && Array.isArray(fact.value) ? (fact.value as KubeObject[]) : [],
    );
    kinds.forEach((kind, i) => {
      if (lists[i]?.ok && Array.isArray(lists[i].value))
        facts[`k8s:${kind}${all}`] = { ok: true, value: objects.filter((one) => one.kind === kind) };
    });
  }
}
