import { type Verdict, type Check, checksOf, ok, warn, fail, skip } from '../lib/check.ts';
import { FactUnavailable, fact, type Facts } from '../lib/facts.ts';
import { objectsIn } from '../lib/objects.ts';
import { mapAt, listAt, textAt, numberAt } from '../../core/json.ts';
import { plural, list } from '../../core/text.ts';
import { resourceOf, serviceObject } from '../lib/place.ts';

const graf = checksOf('GRAF');
const SECRET = 'grafana-admin';
const KEYS = ['admin-user', 'admin-password'];

/** Sets the password of Grafana to that of the Secret, by stdin: an argument would show it in the process list. */
function resetPassword(facts: Facts): string {
  const kubectl = facts.kubectlFor('grafana');
  return (
    `${kubectl} get secret ${SECRET} -o jsonpath='{.data.admin-password}' | base64 -d | ` +
    `${kubectl} exec -i ${resourceOf(facts, 'grafana')} -- ` +
    'grafana cli --homepath /usr/share/grafana admin reset-admin-password --password-from-stdin'
  );
}

function exposure(facts: Facts): Verdict {
  const { namespace, service: planned } = facts.place('grafana');
  const service = facts.find('Service', planned.name, namespace);
  const object = serviceObject(facts, 'grafana');
  if (!service)
    return fail(`Service ${planned.name} does not exist`, {
      cause: 'it was deleted',
      fix: 'genai-obs install',
      object,
    });
  const type = textAt(service, 'spec', 'type') ?? 'ClusterIP';
  const configured = facts.config.grafana.service.type;
  const ingress = objectsIn(facts, 'Ingress', namespace).find((one) =>
    JSON.stringify(one['spec'] ?? '').includes(`"name":"${planned.name}"`),
  );
  const hosts = listAt(ingress, 'spec', 'rules').flatMap((rule) => textAt(rule, 'host') ?? []);
  const suffix = ingress ? `; Ingress ${ingress.metadata.name} for ${list(hosts)}` : '';
  if (type !== configured)
    return warn(`Service ${planned.name} is of type ${type} instead of ${configured}`, {
      cause: 'it was changed manually, or the profile was not applied',
      fix: 'genai-obs install',
      object,
    });
  if (ingress && !listAt(ingress, 'status', 'loadBalancer', 'ingress').length)
    return warn(`Ingress ${ingress.metadata.name} has no address yet`, {
      cause: 'no ingress controller handles its IngressClass',
      fix: `${facts.kubectlFor('grafana')} describe ingress ${ingress.metadata.name}`,
      object: `Ingress ${namespace}/${ingress.metadata.name}`,
    });
  if (type === 'NodePort') {
    const port = numberAt(listAt(service, 'spec', 'ports')[0], 'nodePort');
    return port
      ? ok(`NodePort ${port} on every node${suffix}`)
      : fail('the Service has no node port', {
          cause: 'the API server has not assigned one',
          fix: `${facts.kubectlFor('grafana')} describe service ${planned.name}`,
          object,
        });
  }
  if (type === 'LoadBalancer') {
    const address = listAt(service, 'status', 'loadBalancer', 'ingress').map(
      (one) => textAt(one, 'ip') ?? textAt(one, 'hostname') ?? '',
    );
    return address.length
      ? ok(`LoadBalancer ${list(address)}${suffix}`)
      : warn('the load balancer has no address yet', {
          cause: 'the cluster has no load balancer controller, or the controller has not assigned an address yet',
          fix:
            `${facts.kubectlFor('grafana')} describe service ${planned.name}   ` +
            '# or set grafana.service.type: ClusterIP',
          object,
        });
  }
  return ok(`ClusterIP, reachable with genai-obs open${suffix}`);
}

function admin(facts: Facts): Verdict {
  const secret = facts.find('Secret', SECRET, facts.place('grafana').namespace);
  const object = `Secret ${facts.place('grafana').namespace}/${SECRET}`;
  if (!secret)
    return fail(`Secret ${SECRET} does not exist`, {
      cause: 'it was deleted',
      fix: `genai-obs install   # creates a new password; then set it in Grafana: ${resetPassword(facts)}`,
      object,
    });
  const empty = KEYS.filter((key) => !numberAt(secret, 'keys', key));
  if (empty.length)
    return fail(`Secret ${SECRET} lacks ${empty.join(' and ')}`, {
      cause: 'keys were removed or are empty',
      fix: 'genai-obs install',
      object,
    });
  const answer = facts.grafana('/api/user');
  if (answer.status === 401 || answer.status === 403) {
    return fail(`Grafana refuses the administrator of Secret ${SECRET}: ${answer.status}`, {
      cause:
        'the password in the Secret differs from that in the database of Grafana; ' +
        'Grafana reads the Secret only when it creates the database',
      fix: resetPassword(facts),
      object,
    });
  }
  if (answer.status !== 200) throw new FactUnavailable(`GET /api/user of Grafana: HTTP ${answer.status}`);
  const login = textAt(answer.body, 'login') ?? '?';
  if (listAt(secret, 'weak').includes('admin-password'))
    return warn(`${login} can log in with a well-known default password`, {
      cause: 'the Secret contains a default or a placeholder',
      fix:
        `${facts.kubectlFor('grafana')} delete secret ${SECRET} && ` +
        `genai-obs install   # then: ${resetPassword(facts)}`,
      object,
    });
  return ok(
    `${login} can log in with the password of Secret ${SECRET} ` +
      `(${numberAt(secret, 'keys', 'admin-password') ?? 0} characters)`,
  );
}

const DAY_MS = 86_400_000;

function certificate(facts: Facts): Verdict {
  const { namespace, service } = facts.place('grafana');
  const kubectl = facts.kubectlFor('grafana');
  const ingress = objectsIn(facts, 'Ingress', namespace).find(
    (one) => listAt(one, 'spec', 'tls').length && JSON.stringify(one['spec']).includes(`"name":"${service.name}"`),
  );
  if (!ingress) return skip('no Ingress with TLS serves Grafana');
  const name = textAt(listAt(ingress, 'spec', 'tls')[0], 'secretName') ?? '';
  const secret = facts.find('Secret', name, namespace);
  const missing = ['tls.crt', 'tls.key'].filter((key) => !numberAt(mapAt(secret, 'keys'), key));
  const issuer = secret?.metadata.annotations?.['cert-manager.io/certificate-name'];
  const more = {
    cause: issuer
      ? `cert-manager has not renewed Certificate ${issuer}`
      : 'the certificate was not issued or not renewed',
    fix: issuer
      ? `${kubectl} describe certificate ${issuer}`
      : `${kubectl} create secret tls ${name} --cert=FILE --key=FILE --dry-run=client -o yaml | ${kubectl} apply -f -`,
    object: `Secret ${namespace}/${name}`,
  };
  if (missing.length)
    return fail(`Secret ${name} of Ingress ${ingress.metadata.name} lacks ${missing.join(' and ')}`, more);
  const expiry = Date.parse(textAt(secret, 'notAfter') ?? '');
  if (!Number.isFinite(expiry)) throw new FactUnavailable(`the certificate in Secret ${name} has no expiry date`);
  const days = Math.floor((expiry - facts.now()) / DAY_MS);
  const text = `the certificate in Secret ${name} expires on ${new Date(expiry).toISOString().slice(0, 10)}`;
  if (days < 0) return fail(`${text}: it has expired`, more);
  return days < 14 ? warn(`${text}, in ${plural(days, 'day')}`, more) : ok(`${text}, in ${plural(days, 'day')}`);
}

export const accessChecks: Check[] = [
  graf('03', 'Grafana is exposed as configured', {
    about:
      'Compares the type of the Service with grafana.service.type, and checks the node port, the load balancer ' +
      'address and the Ingress address. Warning: the type differs, or an address is pending, because no ' +
      'controller assigns one. Failed: the Service does not exist or has no node port. With ClusterIP, ' +
      '`genai-obs open` forwards a port.',
    sources: '000-ACC-04, 000-INST-09, 001-GRAF-08, 001-PORT-05, 004-TRB-09',
    needs: ['grafana'],
    dependsOn: ['GRAF-02'],
    reads: [fact.objects('Service'), fact.objects('Ingress')],
    run: exposure,
  }),
  graf('05', 'The administrator can log in', {
    about:
      'Logs in with the Secret grafana-admin. Grafana reads the password only when it creates its database. If ' +
      'the Secret is changed, restored or recreated later, all API calls fail. Warning: the password is a ' +
      'well-known default. Failed: the Secret or a key is missing, or Grafana refuses the login. The fix sets the ' +
      'password of Grafana to that of the Secret without showing it.',
    sources: '000-INST-04, 001-GRAF-05, 004-P4-01',
    needs: ['grafana'],
    dependsOn: ['GRAF-01', 'GRAF-02', 'GRAF-04'],
    reads: [fact.objects('Secret'), fact.grafana('/api/user')],
    run: admin,
  }),
  graf('18', 'The certificate of the Ingress is valid', {
    about:
      'Checks the certificate of an Ingress with TLS for Grafana; browsers refuse an expired one. Ok: at least 14 ' +
      'days left. Warning: fewer. Failed: expired, or the Secret lacks the certificate or key. Renew the ' +
      'certificate. Skipped without such an Ingress.',
    sources: '000-INST-09',
    needs: ['grafana'],
    dependsOn: ['GRAF-03'],
    reads: [fact.objects('Ingress'), fact.objects('Secret'), fact.time()],
    run: certificate,
  }),
];
