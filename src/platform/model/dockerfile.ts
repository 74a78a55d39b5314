/** What dockerops has to know of a Dockerfile: the images that it begins with, and the notes about ports. */
import type { PublishedPort } from './instance.ts';

export interface DockerfileFacts {
  /** Images that have to be there before the build: those of FROM and of `COPY --from`, without the file's own stages. */
  readonly needs: readonly string[];
  /** The image that the last stage begins with; absent where it is `scratch`, or where there is no FROM. */
  readonly base?: string;
  /** Ports of the notes `#UDP_EXPOSE 53` and `# reyns: expose 53/udp`, which EXPOSE once could not say. */
  readonly noted: readonly PublishedPort[];
}

export function readDockerfile(text: string): DockerfileFacts {
  const needs = new Set<string>();
  const stages = new Map<string, string | undefined>();
  const defaults = new Map<string, string>();
  let base: string | undefined;
  for (const instruction of instructions(text)) {
    const [, word = '', rest = ''] = /^(\S+)\s*([\s\S]*)$/.exec(instruction) ?? [];
    switch (word.toUpperCase()) {
      case 'ARG': {
        const [, name, value] = /^(\w+)=(.*)$/.exec(rest.trim()) ?? [];
        if (name !== undefined && value !== undefined && stages.size === 0) defaults.set(name, unquoted(value.trim()));
        break;
      }
      case 'FROM': {
        const [image = '', as, stage] = rest.split(/\s+/).filter((part) => part !== '' && !part.startsWith('--'));
        const named = substituted(unquoted(image), defaults);
        const inner = stages.get(named.toLowerCase());
        base = stages.has(named.toLowerCase()) ? inner : named === 'scratch' ? undefined : named;
        if (base !== undefined) needs.add(base);
        stages.set(as?.toUpperCase() === 'AS' && stage !== undefined ? stage.toLowerCase() : `${stages.size}`, base);
        break;
      }
      case 'COPY':
      case 'ADD': {
        const from = /(?:^|\s)--from=(\S+)/.exec(rest)?.[1];
        const image = from === undefined ? undefined : substituted(unquoted(from), defaults);
        if (image !== undefined && !stages.has(image.toLowerCase())) needs.add(image);
        break;
      }
    }
  }
  return { needs: [...needs], ...(base === undefined ? {} : { base }), noted: notedPorts(text) };
}

/** Each instruction on one line: comments are left out, and lines that end with a backslash go on. */
function instructions(text: string): readonly string[] {
  const found: string[] = [];
  let open: string | undefined;
  for (const line of text.split(/\r?\n/)) {
    const trimmed = line.trim();
    if (trimmed.startsWith('#') || (trimmed === '' && open === undefined)) continue;
    const goesOn = /\\\s*$/.test(trimmed);
    const part = goesOn ? trimmed.replace(/\\\s*$/, ' ') : trimmed;
    open = (open ?? '') + part;
    if (goesOn) continue;
    found.push(open);
    open = undefined;
  }
  if (open !== undefined) found.push(open);
  return found;
}

function notedPorts(text: string): readonly PublishedPort[] {
  const ports = new Map<string, PublishedPort>();
  for (const line of text.split(/\r?\n/)) {
    const udp = /^\s*#\s*UDP_EXPOSE\b[\s:=]*(.*)$/i.exec(line)?.[1];
    const any = /^\s*#\s*(?:reyns|dockerops):\s*expose\s+(.*)$/i.exec(line)?.[1];
    for (const word of (udp ?? any ?? '').split(/[\s,]+/)) {
      const port = parsePort(word, udp === undefined ? 'tcp' : 'udp');
      if (port !== undefined) ports.set(`${port.port}/${port.protocol}`, port);
    }
  }
  return [...ports.values()];
}

/** `53`, `53/udp`; undefined where it is no port. */
export function parsePort(text: string, protocol: PublishedPort['protocol'] = 'tcp'): PublishedPort | undefined {
  const [, digits = '', given] = /^(\d{1,5})(?:\/(tcp|udp))?$/i.exec(text) ?? [];
  const port = Number(digits);
  if (digits === '' || port < 1 || port > 65_535) return undefined;
  return { port, protocol: given === undefined ? protocol : given.toLowerCase() === 'udp' ? 'udp' : 'tcp' };
}

function unquoted(text: string): string {
  return text.replace(/^(["'])(.*)\1$/, '$2');
}

function substituted(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(
    /\$(?:(\w+)|\{(\w+)(?::-([^}]*))?\})/g,
    (whole, plain?: string, braced?: string, other?: string) => {
      const found = values.get(plain ?? braced ?? '') ?? other;
      return found ?? whole;
    },
  );
}
