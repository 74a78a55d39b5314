import { describe, expect, it } from 'vitest';
import type { ServiceSpec } from '../../../src/model/service/service-spec.ts';
import type { Channel } from '../../../src/runtime/kernel.ts';
import { Channels } from '../../../src/runtime/units/channels.ts';
import { serviceSpec } from '../../model/specs.ts';

const reader = serviceSpec({ name: 'reader.service', stdin: 'pipe' });
const writer = serviceSpec({ name: 'writer.service', stdout: 'reader.service' });

/** Channels of these services, and what is done to each pipe that was made. */
function make(...services: readonly ServiceSpec[]) {
  const pipes: { readonly pipe: Channel; left: number; readonly done: string[] }[] = [];
  const said: string[] = [];
  const channels = new Channels({
    kernel: {
      openChannel: () => {
        const done: string[] = [];
        const made = {
          pipe: { waiting: () => made.left, finish: () => done.push('finish'), close: () => done.push('close') },
          left: 0,
          done,
        };
        pipes.push(made);
        return made.pipe;
      },
    },
    serviceOf: (name) => services.find((service) => service.name === name),
    onMessage: ({ text }) => said.push(text),
  });
  return { channels, pipes, said };
}

describe('the standard streams of a service', () => {
  it('are pipes of its own for what goes into the log', () => {
    const { channels, pipes } = make();
    expect(channels.streamsOf(serviceSpec())).toEqual({ stdin: 'null', stdout: 'pipe', stderr: 'pipe' });
    expect(pipes).toEqual([]);
  });

  it("are chaperone's own where the service inherits them", () => {
    const { channels } = make();
    const spec = serviceSpec({ stdin: 'inherit', stdout: 'inherit', stderr: 'inherit' });
    expect(channels.streamsOf(spec)).toEqual({ stdin: 'inherit', stdout: 'inherit', stderr: 'inherit' });
  });

  it('lead to the pipe that the reader has, whoever starts first', () => {
    const { channels, pipes } = make(reader, writer);
    const { stdout } = channels.streamsOf(writer);
    const { stdin } = channels.streamsOf(reader);
    expect(pipes.map(({ pipe }) => pipe)).toEqual([stdout]);
    expect(stdin).toBe(stdout);
  });

  it('are one where errors go where the output goes', () => {
    const { channels, pipes } = make(reader, writer);
    expect(channels.streamsOf({ ...writer, stderr: 'stdout' }).stderr).toBe('stdout');
    expect(channels.streamsOf({ ...writer, stderr: 'reader.service' }).stderr).toBe(pipes[0]?.pipe);
  });

  it.each([
    ['is disabled', { ...reader, enabled: false }],
    ['has no such input', { ...reader, stdin: 'null' as const }],
  ])('go into the log where the reader %s', (_, service) => {
    const { channels, pipes } = make(service, writer);
    expect(channels.leadsTo('reader.service')).toBe(false);
    expect(channels.streamsOf(writer).stdout).toBe('pipe');
    expect(pipes).toEqual([]);
  });

  it('go into the log where there is no reader', () => {
    expect(make(writer).channels.streamsOf(writer).stdout).toBe('pipe');
  });

  it('of an inetd service are its connection, errors too unless they go elsewhere', () => {
    const { channels, pipes } = make(reader);
    const inetd = serviceSpec({ type: 'inetd', port: 80 });
    expect(channels.streamsOf(inetd).stderr).toBe('stdout');
    expect(channels.streamsOf({ ...inetd, stderr: 'reader.service' }).stderr).toBe(pipes[0]?.pipe);
    expect(channels.streamsOf({ ...inetd, stderr: 'errors.logging' }).stderr).toBe('pipe');
  });
});

describe('the pipe of a reader', () => {
  it('outlives its starts, and tells how much waits in it', () => {
    const { channels, pipes } = make(reader, writer);
    expect(channels.waiting('reader.service')).toBeUndefined();
    channels.streamsOf(reader);
    channels.streamsOf(reader);
    expect(pipes).toHaveLength(1);
    const [pipe] = pipes;
    if (pipe !== undefined) pipe.left = 7;
    expect(channels.waiting('reader.service')).toBe(7);
  });

  it('is finished first and closed once the service has ended, and a later start gets another', () => {
    const { channels, pipes, said } = make(reader);
    channels.streamsOf(reader);
    const close = channels.finish('reader.service');
    expect(pipes[0]?.done).toEqual(['finish']);
    expect(channels.waiting('reader.service')).toBeUndefined();
    channels.streamsOf(reader);
    expect(pipes).toHaveLength(2);
    close?.();
    expect(pipes.map(({ done }) => done)).toEqual([['finish', 'close'], []]);
    expect(said).toEqual([]);
  });

  it('is told of where something is left in it at its end', () => {
    const { channels, pipes, said } = make(reader);
    channels.streamsOf(reader);
    const [pipe] = pipes;
    if (pipe !== undefined) pipe.left = 1;
    channels.forget('reader.service');
    expect(said).toEqual(['reader.service has not read the last 1 bytes that were written to it']);
    expect(pipe?.done).toEqual(['finish', 'close']);
  });

  it('does not exist for a service that reads none', () => {
    const { channels } = make(reader);
    expect(channels.finish('reader.service')).toBeUndefined();
    channels.forget('reader.service');
  });

  it('is closed for each of them when all services have ended', () => {
    const other = { ...reader, name: 'other.service' };
    const { channels, pipes } = make(reader, other);
    channels.streamsOf(reader);
    channels.streamsOf(other);
    channels.closeAll();
    expect(pipes.map(({ done }) => done)).toEqual([
      ['finish', 'close'],
      ['finish', 'close'],
    ]);
  });
});
