/** The keys of run.conf: its reader and the schema for editors are made of this table. */
import { instanceTypeNames } from '../model/instance-types.ts';

export type KeyKind =
  | 'container'
  | 'instance'
  | 'text'
  | 'host name'
  | 'boolean'
  | 'seconds'
  | 'links'
  | 'variables'
  | 'volumes'
  | 'instances'
  | 'choice';

export interface ConfKey {
  readonly kind: KeyKind;
  /** A sentence without its period. */
  readonly summary: string;
  readonly choices?: readonly string[];
  /** Another name of the same key. */
  readonly alias?: string;
}

export const runKeys = {
  container: { kind: 'container', summary: 'the container, by the name of its folder', alias: 'service' },
  instance: { kind: 'instance', summary: 'the name of the instance; one that is named like a type gets that type' },
  instance_type: { kind: 'choice', summary: 'what the instance keeps and publishes', choices: instanceTypeNames },
  group: { kind: 'text', summary: 'a name under which "run group=NAME" starts it together with others' },
  sleep: { kind: 'seconds', summary: 'seconds to wait once it is up, before the entries below it start' },
  links: { kind: 'links', summary: 'other instances that it finds under an alias, and waits for' },
  env_vars: {
    kind: 'variables',
    summary: 'its variables; null asks for a value, and "from_eth0" is the address of that interface of the host',
  },
  linked: { kind: 'boolean', summary: 'whether it stands on the network of the project and has its links' },
  publish_ports: { kind: 'boolean', summary: 'whether the exposed ports of the image are published on the host' },
  persistent_data: { kind: 'boolean', summary: 'whether /data stays when the container is removed' },
  persistent_opt: { kind: 'boolean', summary: 'whether /opt stays when the container is removed' },
  persistent_log: { kind: 'boolean', summary: 'whether /var/log stays when the container is removed' },
  volumes: { kind: 'volumes', summary: 'what is mounted into it: SOURCE:TARGET or SOURCE:TARGET:ro' },
  hostname: { kind: 'host name', summary: 'its host name, in place of CONTAINER-INSTANCE' },
  depends_on: { kind: 'instances', summary: 'instances or containers that have to be up first' },
  wait: {
    kind: 'choice',
    summary: 'when it counts as up: the container runs, Chaperone inside is ready, or the health check says so',
    choices: ['started', 'ready', 'healthy'],
  },
} as const satisfies Readonly<Record<string, ConfKey>>;

export type RunKey = keyof typeof runKeys;

export const runKeyNames: ReadonlyMap<string, RunKey> = new Map(
  Object.keys(runKeys)
    .filter((name): name is RunKey => name in runKeys)
    .flatMap((name) => {
      const key: ConfKey = runKeys[name];
      return [[name, name] as const, ...(key.alias === undefined ? [] : [[key.alias, name] as const])];
    }),
);

/** The keys of an entry in the list of links. */
export const linkKeys: Readonly<Record<string, { readonly summary: string }>> = {
  name: { summary: 'the alias under which the other one is found' },
  container: { summary: 'the container of the other one' },
  service: { summary: 'the same as container' },
  instance: { summary: 'the instance of the other one; null is any that runs' },
};
