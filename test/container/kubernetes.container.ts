/** The files for Kubernetes in docs/guide/deploying.md, as Kubernetes' own client for Python reads them. */
import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { file } from '../docs/deploying-guide.ts';

/** Makes an object of the client's model of a JSON document and writes it again: a field that the model lacks does not come back. */
const program = `
import json, sys
from kubernetes import client

class Response:
    data = sys.stdin.read()

api = client.ApiClient()
kind = json.loads(Response.data)['kind']
print(json.dumps(api.sanitize_for_serialization(api.deserialize(Response, 'V1' + kind))))
`;

/** @returns what the client has understood, or its last word where it refuses the document */
function understood(document: unknown): unknown {
  // Debian's Python has the client, whichever other one PATH finds first.
  const run = spawnSync('/usr/bin/python3', ['-c', program], { input: JSON.stringify(document), encoding: 'utf8' });
  if (run.status !== 0) return run.stderr.trim().split('\n').at(-1);
  const value: unknown = JSON.parse(run.stdout);
  return value;
}

it.each(['pod.yaml', 'job.yaml'])('knows each field of %s', (name) => {
  const document: unknown = parse(file(name));
  expect(understood(document)).toEqual(document);
});

it('would tell of a field that Kubernetes does not know, of a value of another type, and of what is missing', () => {
  const pod = file('pod.yaml');
  const misspelled: unknown = parse(pod.replace('readinessProbe:', 'readynessProbe:'));
  expect(understood(misspelled)).not.toEqual(misspelled);
  const text: unknown = parse(pod.replace('terminationGracePeriodSeconds: 15', 'terminationGracePeriodSeconds: 15s'));
  expect(understood(text)).toMatch(/ValueError|invalid literal/);
  const unnamed: unknown = parse(pod.replace('    - name: web\n      image', '    - image'));
  expect(understood(unnamed)).toMatch(/ValueError: Invalid value for `name`/);
});
