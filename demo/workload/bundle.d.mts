export function bundleWorkload(): Promise<string>;
