/** Reads the values of directives that hold hooks, or the signals of a stop. */
import type { Hook, KillStep } from '../model/service/hook.ts';
import { parseSignal } from '../model/service/signal.ts';
import { isPlain } from '../model/words/expand.ts';
import { splitWords } from '../model/words/words.ts';
import type { Directive } from './directives.ts';
import { placeWithin, type YamlNode, type YamlScalar } from './parse-yaml.ts';
import { describeNode, type ValueContext } from './read-names.ts';
import { parseSpan } from './values.ts';

/** The value of a directive that holds hooks. */
export interface HooksValue {
  readonly kind: 'hooks';
  readonly hooks: readonly (Hook & { readonly scalar: YamlScalar })[];
}

const hookHint = 'expected a program and its arguments as one text, or a list of them';

/** Reads one command, or where the directive takes several, a list of them. */
export function readHookValue(directive: Directive, node: YamlNode, context: ValueContext): HooksValue | undefined {
  const { report, label } = context;
  const isSingle = directive.kind === 'hook';
  const hint = isSingle ? 'expected a program and its arguments as one text' : hookHint;
  if (node.kind === 'map' || (isSingle && node.kind === 'list')) {
    report.error('wrong-shape', `${label} is ${describeNode(node)}`, node.place, { hint });
    return undefined;
  }
  const hooks: (Hook & { readonly scalar: YamlScalar })[] = [];
  let isComplete = true;
  for (const item of node.kind === 'list' ? node.items : [node]) {
    const hook = item.kind === 'scalar' ? readHook(item, context, hint) : undefined;
    if (item.kind !== 'scalar')
      report.error('wrong-shape', `${label} holds ${describeNode(item)}`, item.place, { hint });
    if (hook === undefined) isComplete = false;
    else hooks.push(hook);
  }
  return isComplete ? { kind: 'hooks', hooks } : undefined;
}

function readHook(
  scalar: YamlScalar,
  { report, label }: ValueContext,
  hint: string,
): HooksValue['hooks'][number] | undefined {
  const { text } = scalar;
  const [prefixes = ''] = /^\s*[-+]*/.exec(text) ?? [];
  const command = text.slice(prefixes.length);
  if (text.includes('\0')) {
    report.error('nul-character', `${label} holds a NUL character`, scalar.place, { hint });
    return undefined;
  }
  if (/^\s/.test(command) || !/\S/.test(command)) {
    report.error('empty-value', `${label} has no program`, scalar.place, { hint });
    return undefined;
  }
  // What is expanded can be split only when it runs.
  const split = isPlain(command) ? splitWords(command) : undefined;
  if (split?.kind === 'unclosed') {
    const place = placeWithin(scalar, prefixes.length + split.index, 1);
    report.error('unclosed-quote', `a quote in ${label} is never closed`, place, {
      hint: `expected a closing ${split.quote}`,
    });
    return undefined;
  }
  return {
    command: command.trimEnd(),
    ...(prefixes.includes('-') ? { mayFail: true } : {}),
    ...(prefixes.includes('+') ? { asChaperone: true } : {}),
    scalar,
  };
}

/** `SIGQUIT 10s SIGTERM 5s`: signals with the pauses between them; undefined where it is something else. */
export function parseKillSteps(text: string, plain: boolean): readonly KillStep[] | undefined {
  const words = text.trim().split(/\s+/);
  const steps: KillStep[] = [];
  for (let index = 0; index < words.length; index += 2) {
    const name = parseSignal(words[index] ?? '');
    const pause = words[index + 1];
    const ms = pause === undefined ? 0 : parseSpan(pause, plain);
    if (name === undefined || ms === undefined || ms < 0 || !Number.isSafeInteger(ms)) return undefined;
    // Without a pause nothing can follow.
    steps.push({ signal: name, pause: ms });
  }
  return steps;
}
