/** Looks for the files that services read their values from at each start. None of them is opened. */
import type { ServiceSpec } from '../model/service/service-spec.ts';
import type { CheckContext } from './check-programs.ts';
import { quote } from './wording.ts';

export function checkValues(starting: readonly ServiceSpec[], context: CheckContext): void {
  for (const { name, values } of starting) {
    if (values === undefined) continue;
    const { envDir, envFiles, secrets, places } = values;
    if (envDir !== undefined) look({ service: name, key: 'env_dir', path: envDir, wants: 'directory' }, context);
    for (const { path, optional } of envFiles)
      look({ service: name, key: 'env_file', path, wants: 'file', optional }, context);
    for (const { path } of [...secrets, ...places])
      look({ service: name, key: 'secrets', path, wants: 'file' }, context);
  }
}

interface Wanted {
  readonly service: string;
  readonly key: 'env_dir' | 'env_file' | 'secrets';
  readonly path: string;
  readonly wants: 'file' | 'directory';
  readonly optional?: boolean;
}

function look({ service, key, path, wants, optional = false }: Wanted, { places, probe, report }: CheckContext): void {
  const found = probe.look(path);
  const place = places.directive(service, key);
  if (found === 'unknown' || (found === 'missing' && optional)) return;
  if (found === 'missing') {
    const hint =
      key === 'env_file'
        ? 'its start will fail unless the file is there by then; "-PATH" may be missing'
        : 'its start will fail unless it is there by then';
    report.warning('values-not-found', `${key} of ${service} names ${quote(path)}, which does not exist`, place, {
      hint,
    });
  } else if (found.kind !== wants) {
    const what = found.kind === 'other' ? 'no regular file' : `a ${found.kind}`;
    report.error('values-unreadable', `${key} of ${service} names ${quote(path)}, which is ${what}`, place, {
      hint: `expected a ${wants}`,
    });
  }
}
