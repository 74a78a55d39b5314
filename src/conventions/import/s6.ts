/** s6-overlay: service folders of s6-rc (version 3), and services.d, cont-init.d, fix-attrs.d and cont-finish.d (versions 1 and 2). */
import type { Place } from '../../config/source.ts';
import { createSource } from '../../config/source.ts';
import { parseSignal } from '../../model/service/signal.ts';
import { type Draft, joinWords, literal, type Remark } from '../draft.ts';
import { placeOfFile, quotedWord, serviceName } from '../written.ts';
import { Drafting } from './drafting.ts';
import { type ImportContext, type Imported, kindOf, namesIn, textIn } from './imported.ts';

interface S6 {
  readonly context: ImportContext;
  /** The folder on this machine that is the root of the image: a prefix of paths, and empty where the image is this machine's own root. */
  readonly root: string;
  readonly remarks: Remark[];
  readonly files: string[];
  /** Services that write the logs of others. */
  readonly writers: Draft[];
}

/** The places below the imported folder where s6-overlay may have its own folders. */
const places = ['', '/etc', '/s6-overlay', '/etc/s6-overlay'];

export function importS6(path: string, context: ImportContext): Imported {
  const isImage = kindOf(`${path}/etc`, context) === 'directory';
  const s6: S6 = { context, root: isImage ? path.replace(/\/$/, '') : '', remarks: [], files: [], writers: [] };
  const found = (name: string): readonly string[] => {
    if (path.endsWith(`/${name}`)) return [path];
    return places
      .map((place) => `${path.replace(/\/$/, '')}${place}/${name}`)
      .filter((each) => kindOf(each, context) === 'directory');
  };
  const attributes = found('fix-attrs.d').flatMap((folder) => fixAttributes(folder, s6));
  const init = found('cont-init.d').flatMap((folder) => scriptsOf(folder, s6));
  const ordered = inOrder([...attributes, ...init]);
  const finish = found('cont-finish.d').flatMap((folder) => finishOf(folder, s6));
  const legacy = found('services.d').flatMap((folder) =>
    namesIn(folder, context).flatMap((name) => longrun(`${folder}/${name}`, name, s6)?.finish() ?? []),
  );
  const rc = found('s6-rc.d').flatMap((folder) => sourceOf(folder, s6));
  return { drafts: [...finish, ...ordered, ...legacy, ...rc, ...s6.writers], remarks: s6.remarks, files: s6.files };
}

/** Reads the text of a file, which then counts among the files that were read. */
function read(path: string, { context, files }: S6): { readonly text: string; readonly place: Place } | undefined {
  const text = textIn(path, context);
  if (text === undefined) return undefined;
  files.push(path);
  const source = createSource(path, text, 'kept');
  return { text, place: { source, start: 0, end: Math.max(1, text.split('\n')[0]?.length ?? 1) } };
}

/** The path as it will be in the container. */
function inside(path: string, { root }: S6): string {
  return path.slice(root.length);
}

/**
 * The command of a script. `with-contenv` gives it the environment that services here have anyway, so that its interpreter runs
 * it; execline is not at hand without s6-overlay, which is told.
 */
function scriptCommand(path: string, s6: S6, place: Place, text: string): string {
  const [, interpreter = ''] = /^#!\s*(.*)/.exec(text) ?? [];
  const words = interpreter.trim().split(/\s+/);
  if (/\/with-contenv$/.test(words[0] ?? '')) return joinWords([...words.slice(1), inside(path, s6)]);
  if (/(?:execlineb|\/command\/)/.test(interpreter))
    s6.remarks.push({ place, message: `${inside(path, s6)} is run by ${words[0]}, which the image has to keep` });
  return quotedWord(inside(path, s6));
}

function scriptsOf(folder: string, s6: S6): readonly Drafting[] {
  return namesIn(folder, s6.context).flatMap((name) => {
    const file = read(`${folder}/${name}`, s6);
    if (file === undefined) return [];
    const drafting = new Drafting(serviceName(`cont-init-${name}`), file.place);
    drafting.set('type', 'oneshot');
    drafting.set('service_groups', 'INIT');
    drafting.set('command', scriptCommand(`${folder}/${name}`, s6, file.place, file.text));
    drafting.set('process_timeout', '10000h', file.place, 's6-overlay waits for it as long as it takes');
    return [drafting];
  });
}

/** Each waits for the one before it. */
function inOrder(draftings: readonly Drafting[]): readonly Draft[] {
  return draftings.map((drafting, index) => {
    const before = draftings[index - 1];
    if (before !== undefined) drafting.set('after', before.name);
    return drafting.finish();
  });
}

/** Lines of `PATH RECURSE ACCOUNT FILE-MODE FOLDER-MODE`. */
function fixAttributes(folder: string, s6: S6): readonly Drafting[] {
  return namesIn(folder, s6.context).flatMap((name) => {
    const file = read(`${folder}/${name}`, s6);
    if (file === undefined) return [];
    const commands = file.text.split('\n').flatMap((line) => {
      if (line.trim() === '' || line.trim().startsWith('#')) return [];
      const [path = '', recurse = '', account = '', fileMode = '', folderMode = ''] = line.trim().split(/\s+/);
      const target = quotedWord(path);
      const depth = recurse === 'true' ? '' : ' -maxdepth 0';
      const owner = quotedWord(account.replace(',', ':').split(':').slice(0, 2).join(':'));
      return [
        `find ${target}${depth} -exec chown ${owner} {} +`,
        `find ${target}${depth} -type f -exec chmod ${quotedWord(fileMode)} {} +`,
        `find ${target}${depth} -type d -exec chmod ${quotedWord(folderMode)} {} +`,
      ];
    });
    if (commands.length === 0) return [];
    const drafting = new Drafting(serviceName(`fix-attrs-${name}`), file.place);
    drafting.set('type', 'oneshot');
    drafting.set('service_groups', 'INIT');
    drafting.set('command', literal(joinWords(['/bin/sh', '-ec', commands.join('; ')])));
    return [drafting];
  });
}

/** Scripts for the end of the container run once everything has stopped that started after them. */
function finishOf(folder: string, s6: S6): readonly Draft[] {
  return namesIn(folder, s6.context).flatMap((name) => {
    const file = read(`${folder}/${name}`, s6);
    if (file === undefined) return [];
    const drafting = new Drafting(serviceName(`cont-finish-${name}`), file.place);
    drafting.comments.push('starts first and does nothing, so that its stop comes last');
    drafting.set('type', 'oneshot');
    drafting.set('service_groups', 'INIT');
    drafting.set('command', 'true');
    drafting.set('stop_command', scriptCommand(`${folder}/${name}`, s6, file.place, file.text));
    return [drafting.finish()];
  });
}

/** A folder with a program `run`, of services.d or of type longrun. */
function longrun(folder: string, name: string, s6: S6): Drafting | undefined {
  const run = read(`${folder}/run`, s6);
  if (run === undefined) return undefined;
  const drafting = new Drafting(serviceName(name), run.place);
  drafting.set('command', scriptCommand(`${folder}/run`, s6, run.place, run.text));
  drafting.set('directory', literal(inside(folder, s6)));
  drafting.set('restart', 'always');
  drafting.set('restart_delay', 1);
  drafting.set('restart_limit', 'unlimited');
  drafting.set('restart_on_start_failure', true);
  const finish = read(`${folder}/finish`, s6);
  if (finish !== undefined) {
    const script = scriptCommand(`${folder}/finish`, s6, finish.place, finish.text);
    // Not every shell knows the number of a signal by its name.
    const number = 'n=1; while [ $n -lt 65 ] && [ "$(kill -l $n)" != "$EXIT_STATUS" ]; do n=$((n+1)); done';
    const signalled = `if [ "$EXIT_CODE" = exited ]; then exec ${script} "$EXIT_STATUS" 0; fi; ${number}; exec ${script} 256 $n`;
    drafting.set('after_stop', literal(joinWords(['/bin/sh', '-c', signalled])), finish.place);
    if (/\bexit\s+125\b/.test(finish.text))
      s6.remarks.push({
        place: finish.place,
        message: 'the exit status 125 of finish has no counterpart: the service is started again',
      });
  }
  if (kindOf(`${folder}/down`, s6.context) === 'file') drafting.set('enabled', false, run.place, 'down');
  const log = read(`${folder}/log/run`, s6);
  if (log !== undefined) {
    const writer = new Drafting(serviceName(`${name}-log`), log.place);
    writer.set('command', scriptCommand(`${folder}/log/run`, s6, log.place, log.text));
    writer.set('directory', literal(inside(`${folder}/log`, s6)));
    drafting.set('stdout', writer.name, log.place);
    s6.writers.push(writer.finish());
  }
  applyNumbers(folder, drafting, s6);
  for (const [file, why] of unknownFiles)
    if (kindOf(`${folder}/${file}`, s6.context) !== undefined)
      s6.remarks.push({
        place: placeOfFile(`${folder}/${file}`),
        message: `${file} of ${name} has no counterpart: ${why}`,
      });
  return drafting;
}

const unknownFiles: readonly (readonly [string, string])[] = [
  ['lock-fd', 'nothing is locked'],
  ['nosetsid', 'services have sessions of their own'],
  ['flag-essential', 'every service can be stopped by hand'],
];

/** Files that hold one number or word. */
function applyNumbers(folder: string, drafting: Drafting, s6: S6): void {
  const word = (file: string): { readonly text: string; readonly place: Place } | undefined => {
    const found = read(`${folder}/${file}`, s6);
    return found === undefined ? undefined : { ...found, text: found.text.trim() };
  };
  const ms = (file: string, key: string): void => {
    const found = word(file);
    if (found === undefined || !/^\d+$/.test(found.text) || found.text === '0') return;
    drafting.set(key, `${found.text}ms`, found.place);
  };
  const notification = word('notification-fd');
  if (notification !== undefined) drafting.set('ready', { fd: Number(notification.text) }, notification.place);
  ms('timeout-up', 'process_timeout');
  ms('timeout-kill', 'stop_timeout');
  ms('timeout-down', 'stop_timeout');
  const down = word('down-signal');
  const signal = down === undefined ? undefined : parseSignal(down.text);
  if (signal !== undefined && down !== undefined) drafting.set('kill_signal', signal, down.place);
  const deaths = word('max-death-tally');
  if (deaths !== undefined && /^\d+$/.test(deaths.text))
    drafting.set('restart_limit', Number(deaths.text), deaths.place);
}

/** The source folder of s6-rc: what the bundle `user` holds, and what that needs, is up. */
function sourceOf(folder: string, s6: S6): readonly Draft[] {
  const names = namesIn(folder, s6.context).filter((name) => kindOf(`${folder}/${name}`, s6.context) === 'directory');
  const typeOf = (name: string): string => textIn(`${folder}/${name}/type`, s6.context)?.trim() ?? '';
  const listed = (name: string, file: string): readonly string[] => [
    ...namesIn(`${folder}/${name}/${file}.d`, s6.context),
    ...(textIn(`${folder}/${name}/${file}`, s6.context) ?? '').split(/\s+/).filter((each) => each !== ''),
  ];
  const bundles = new Map(
    names.filter((name) => typeOf(name) === 'bundle').map((name) => [name, listed(name, 'contents')]),
  );
  const expand = (name: string, seen: readonly string[] = []): readonly string[] => {
    const inner = bundles.get(name);
    if (inner === undefined || seen.includes(name)) return [name];
    return inner.flatMap((each) => expand(each, [...seen, name]));
  };
  // s6-overlay allows the folder of the bundle without its type.
  const roots = ['user', 'user2'].flatMap((name) => bundles.get(name) ?? listed(name, 'contents'));
  const up = new Set<string>(roots.flatMap((name) => expand(name)));
  const consumerOf = (name: string): readonly string[] => {
    const consumer = textIn(`${folder}/${name}/producer-for`, s6.context)?.trim();
    return consumer === undefined ? [] : [consumer];
  };
  // A set that grows is walked to its end.
  for (const name of up)
    for (const need of [...listed(name, 'dependencies'), ...consumerOf(name)])
      for (const each of expand(need)) up.add(each);
  return names.flatMap((name) => {
    const type = typeOf(name);
    if (type === 'bundle' || name === 'user' || name === 'user2') return [];
    const drafting =
      type === 'oneshot' ? oneshot(`${folder}/${name}`, name, s6) : longrun(`${folder}/${name}`, name, s6);
    if (drafting === undefined) {
      s6.remarks.push({
        place: placeOfFile(`${folder}/${name}`),
        message: `${name} is left out: it is neither a longrun, a oneshot nor a bundle`,
      });
      return [];
    }
    if (!up.has(name)) drafting.set('enabled', false, drafting.place, 'no bundle of the user holds it');
    const groups = [...bundles]
      .filter(([bundle]) => bundle !== 'user' && expand(bundle).includes(name))
      .map(([bundle]) => bundle);
    if (groups.length > 0) drafting.set('service_groups', ['default', ...groups]);
    const needs = listed(name, 'dependencies')
      .flatMap((need) => expand(need))
      .filter((need) => need !== 'base');
    for (const need of needs)
      if (!names.includes(need))
        s6.remarks.push({
          place: placeOfFile(`${folder}/${name}/dependencies.d/${need}`),
          message: `the dependency ${need} of ${name} is left out: it is not there`,
        });
    const after = needs.filter((need) => names.includes(need)).map(serviceName);
    if (after.length > 0) drafting.set('after', after);
    for (const consumer of consumerOf(name).filter((each) => names.includes(each)))
      drafting.set('stdout', serviceName(consumer));
    return [drafting.finish()];
  });
}

/** `up` and `down` are command lines of execline: one that is only a program with arguments runs as it is. */
function oneshot(folder: string, name: string, s6: S6): Drafting | undefined {
  const up = read(`${folder}/up`, s6);
  if (up === undefined) return undefined;
  const drafting = new Drafting(serviceName(name), up.place);
  drafting.set('type', 'oneshot');
  drafting.set('command', execlineCommand(up, `${folder}/up`, s6));
  if (kindOf(`${folder}/timeout-up`, s6.context) === undefined)
    drafting.set('process_timeout', '10000h', up.place, 's6-rc waits for it as long as it takes');
  const down = read(`${folder}/down`, s6);
  if (down !== undefined) drafting.set('stop_command', execlineCommand(down, `${folder}/down`, s6), down.place);
  applyNumbers(folder, drafting, s6);
  return drafting;
}

function execlineCommand(
  { text, place }: { readonly text: string; readonly place: Place },
  path: string,
  s6: S6,
): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.trim().startsWith('#'));
  const [line = ''] = lines;
  const words = line.trim().split(/\s+/);
  if (lines.length === 1 && /^\/[^\s{}"'$\\]+(?:\s+[^\s{}"'$\\]+)*$/.test(line.trim())) {
    const script = words.length === 1 ? textIn(`${s6.root}${words[0]}`, s6.context) : undefined;
    if (script !== undefined) return scriptCommand(`${s6.root}${words[0]}`, s6, place, script);
    return joinWords(words);
  }
  s6.remarks.push({ place, message: `${inside(path, s6)} is a script of execline, which the image has to keep` });
  return joinWords(['execlineb', '-P', inside(path, s6)]);
}
