import { chartDigest } from '../../core/assets.ts';
import type { JsonMap } from '../../core/types.ts';
import { placeOf, releaseOf } from '../../parts/catalog.ts';
import { inputOf } from '../../parts/templates.ts';
import { sizedResources } from '../../profile/sizes.ts';
import type { Component, Input } from '../../parts/types.ts';
import type { ChartName } from '../../charts/pins.ts';
import type { Config } from '../../profile/schema.ts';
import { namespaceStepId } from './ids.ts';
import type { Step } from '../steps/index.ts';
import type { RemovalStep } from '../steps/removal.ts';

/** ConfigMap → the component whose pods mount it. */
export const MOUNTED_BY: Record<string, string> = {
  'grafana-datasources': 'grafana',
  'grafana-dashboards-provider': 'grafana',
  'genai-dashboards': 'grafana',
  'prometheus-rules': 'prometheus',
  'loki-rules': 'loki',
  'grafana-gateway-proxy': 'grafana',
};

/** A release, or a resource of the operator; nothing where the chart of a whole stack contains the component. */
export function componentStep(
  config: Config,
  component: Component,
  checksums: Record<string, string>,
  present: Set<string>,
): Step[] {
  const mounted = Object.entries(MOUNTED_BY).flatMap(([name, id]) =>
    id === component.id && checksums[name] ? [[name, checksums[name]]] : [],
  );
  const input = inputOf(config, component, Object.fromEntries(mounted));
  const { place, claim } = input;
  const needs = [
    namespaceStepId(config, place.namespace),
    ...(claim ? [`claim/${claim}`] : []),
    ...component.needs.filter((id) => present.has(id)),
  ];
  const common = { phase: component.phase, title: place.title };
  if (place.chart === 'opentelemetry-operator')
    return [
      {
        ...common,
        kind: 'objects',
        id: `resource/${place.workload.name.replace(/-collector$/, '')}`,
        needs: [...needs, 'webhook/opentelemetry-operator'],
        objects: component.resources?.(input) ?? [],
        workloads: [{ ...place.workload, namespace: place.namespace }],
      },
    ];
  const release = releaseOf(config, component.id);
  const values =
    place.chart === 'genai-obs' ? ownValues(component, input) : component.upstream?.[place.chart as ChartName]?.(input);
  if (!release || !values) return [];
  return [
    {
      ...common,
      kind: 'release',
      id: `release/${component.id}`,
      needs,
      release: release.name,
      namespace: release.namespace,
      chart:
        place.chart === 'genai-obs'
          ? { source: 'genai-obs', name: component.id }
          : { source: 'upstream', name: place.chart as ChartName },
      values,
      workloads: [{ ...place.workload, namespace: place.namespace }],
      ...(component.rereads ? { rereads: component.rereads } : {}),
    },
  ];
}

function ownValues(component: Component, { config, configuration, image, claim, checksums }: Input): JsonMap {
  const resources = sizedResources(config.size, component.id);
  return {
    image,
    config: configuration,
    checksums,
    storage: { claim },
    chartDigest: chartDigest(component.id),
    ...(resources ? { resources } : {}),
    ...component.values?.(config),
  };
}

/** Removes a component that was switched off after its installation, with the ConfigMaps that only it mounts. */
export function removalStep(config: Config, component: Component): RemovalStep {
  const { namespace, title } = placeOf(config, component.id);
  const objects = Object.entries(MOUNTED_BY).flatMap(([name, id]) =>
    id === component.id ? [{ apiVersion: 'v1', kind: 'ConfigMap', namespace, name }] : [],
  );
  return {
    kind: 'removal',
    id: `removal/${component.id}`,
    phase: component.phase,
    title: `${title} (disabled)`,
    needs: ['namespace'],
    release: component.id,
    namespace,
    objects,
  };
}
