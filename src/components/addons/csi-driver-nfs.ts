import { ownLabels } from '../../core/labels.ts';
import { imageOf } from '../../parts/catalog.ts';
import { OWN_LABEL, imageOneHost } from '../../parts/upstream.ts';
import type { Addon } from '../../parts/types.ts';

const IMAGES = {
  nfs: 'registry.k8s.io/sig-storage/nfsplugin:v4.13.4',
  csiProvisioner: 'registry.k8s.io/sig-storage/csi-provisioner:v6.3.0',
  csiResizer: 'registry.k8s.io/sig-storage/csi-resizer:v2.2.0',
  livenessProbe: 'registry.k8s.io/sig-storage/livenessprobe:v2.19.0',
  nodeDriverRegistrar: 'registry.k8s.io/sig-storage/csi-node-driver-registrar:v2.17.0',
};

/** NFS volumes and their StorageClass; src/profile/rules.ts refuses it for databases. */
export const csiDriverNfs: Addon = {
  id: 'csi-driver-nfs',
  title: 'NFS volumes',
  phase: 'storage',
  chart: 'csi-driver-nfs',
  release: 'csi-driver-nfs',
  workloads: () => [
    { kind: 'Deployment', name: 'csi-nfs-controller' },
    { kind: 'DaemonSet', name: 'csi-nfs-node' },
  ],
  // One driver of that name per cluster.
  provided: { ref: { apiVersion: 'storage.k8s.io/v1', kind: 'CSIDriver', name: 'nfs.csi.k8s.io' } },
  values: (config) => ({
    customLabels: OWN_LABEL,
    image: Object.fromEntries(
      Object.entries(IMAGES).map(([part, image]) => [part, imageOneHost(imageOf(image, config.global.imageRegistry))]),
    ),
    // Snapshots would require CRDs that the stack does not use.
    controller: { enableSnapshotter: false },
  }),
  objects(config) {
    const { server, share, storageClass } = config['csi-driver-nfs'];
    return [
      {
        apiVersion: 'storage.k8s.io/v1',
        kind: 'StorageClass',
        metadata: { name: storageClass, labels: ownLabels('csi-driver-nfs') },
        provisioner: 'nfs.csi.k8s.io',
        parameters: { server, share },
        // Data stay on the server if a claim is deleted by mistake.
        reclaimPolicy: 'Retain',
        volumeBindingMode: 'Immediate',
        allowVolumeExpansion: true,
        mountOptions: ['nfsvers=4.1', 'hard'],
      },
    ];
  },
};
