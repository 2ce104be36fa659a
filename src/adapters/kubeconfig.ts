// The one thing that we use of client-node, by name: so the bundle leaves out its 2.5 MB of generated API classes.
export { KubeConfig } from '@kubernetes/client-node';
