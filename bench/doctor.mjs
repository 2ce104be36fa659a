// Measures `genai-obs doctor` without the probe, on an installed stack.
//   node bench/doctor.mjs --rounds 5 [--namespace genai-observability]
import { genaiObs, machine, median, needCluster, options, table, verdict } from './lib.mjs';

const LIMIT = 10;
const { rounds, namespace } = options({ rounds: '5', namespace: 'genai-observability' });
const context = needCluster();
const times = [];
let summary = '';
for (let round = 0; round < Number(rounds); round++) {
  // 0: all ok; 3 or 4: findings. Any other code means that doctor itself failed.
  const { seconds, code, stdout, stderr } = await genaiObs(['doctor', '--namespace', namespace, '-o', 'json'], {
    check: false,
  });
  if (code !== 0 && code !== 3 && code !== 4) throw new Error(`doctor exited with ${code}: ${stderr || stdout}`);
  const { findings = [] } = JSON.parse(stdout);
  const count = (status) => findings.filter((finding) => finding.status === status).length;
  const counts = ['ok', 'warn', 'fail', 'unknown', 'skip'].map((status) => `${count(status)} ${status}`);
  summary = `${findings.length} findings: ${counts.join(', ')}`;
  times.push(seconds);
}
console.log(`doctor, context ${context}, namespace ${namespace}: ${rounds} rounds; ${machine()}; ${summary}`);
table([
  ['', 'seconds'],
  ['median', median(times).toFixed(2)],
  ['minimum', Math.min(...times).toFixed(2)],
  ['maximum', Math.max(...times).toFixed(2)],
]);
verdict('doctor', median(times), LIMIT, ' s');
