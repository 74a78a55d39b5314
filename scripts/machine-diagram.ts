import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';

/**
 * A machine's chart as Markdown: a Mermaid `stateDiagram-v2`, and below it what a drawing would drown in: the events that a
 * state takes without leaving it, and those that it ignores.
 *
 * An arrow is labelled with its event, `after` and the name of its delay, or `always`; a guard stands in brackets. Arrows of
 * one state and event are tried from the top.
 */
export function renderDiagram(machine: AnyStateMachine): string {
  const nodes = descendants(machine.root);
  const sections = [
    ['```mermaid', 'stateDiagram-v2', ...drawStates(machine.root, 1), ...arrows([machine.root, ...nodes]), '```'].join(
      '\n',
    ),
    table('Taken without leaving the state', [machine.root, ...nodes], (transition) => isInternal(transition)),
    table('Ignored', [machine.root, ...nodes], (transition) => isIgnored(transition)),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function descendants(node: AnyStateNode): readonly AnyStateNode[] {
  return children(node).flatMap((child) => [child, ...descendants(child)]);
}

function children(node: AnyStateNode): readonly AnyStateNode[] {
  return Object.values(node.states);
}

function drawStates(parent: AnyStateNode, depth: number): readonly string[] {
  const indent = '  '.repeat(depth);
  const initial = parent.initial.target.map((target) => `${indent}[*] --> ${idOf(target)}`);
  const drawn = children(parent).flatMap((node) => {
    const title = `${indent}state "${node.key}" as ${idOf(node)}`;
    if (children(node).length > 0) return [`${title} {`, ...drawStates(node, depth + 1), `${indent}}`];
    return node.type === 'final' ? [title, `${indent}${idOf(node)} --> [*]`] : [title];
  });
  return [...initial, ...drawn];
}

/** All at the outermost level: an arrow inside a state may point out of it. */
function arrows(nodes: readonly AnyStateNode[]): readonly string[] {
  return nodes.flatMap((node) =>
    transitionsOf(node).flatMap(([event, transition]) =>
      (transition.target ?? []).map((target) => `  ${idOf(node)} --> ${idOf(target)} : ${event}${guardOf(transition)}`),
    ),
  );
}

/** Every transition of a node, with the word that stands for its event. */
function transitionsOf(node: AnyStateNode): readonly (readonly [string, AnyTransitionDefinition])[] {
  const always = (node.always ?? []).map((transition): [string, AnyTransitionDefinition] => ['always', transition]);
  const after = node.after.map((transition): [string, AnyTransitionDefinition] => [
    `after ${String(transition.delay)}`,
    transition,
  ]);
  const events = [...node.transitions]
    .filter(([type]) => !type.startsWith('xstate.'))
    .flatMap(([type, transitions]) =>
      transitions.map((transition): [string, AnyTransitionDefinition] => [type, transition]),
    );
  return [...always, ...after, ...events];
}

function isIgnored({ target, actions }: AnyTransitionDefinition): boolean {
  return target === undefined && actions.length === 0;
}

function isInternal({ target, actions }: AnyTransitionDefinition): boolean {
  return target === undefined && actions.length > 0;
}

function table(
  title: string,
  nodes: readonly AnyStateNode[],
  picks: (transition: AnyTransitionDefinition) => boolean,
): string {
  const rows = nodes.flatMap((node) => {
    const events = transitionsOf(node)
      .filter(([, transition]) => picks(transition))
      .map(([event, transition]) => `\`${event}\`${guardOf(transition)}`);
    const path = node.path.length === 0 ? '(every state)' : node.path.join('.');
    return events.length === 0 ? [] : [`- **${path}**: ${events.join(', ')}`];
  });
  return rows.length === 0 ? '' : [`${title}:`, '', ...rows].join('\n');
}

function guardOf({ guard }: AnyTransitionDefinition): string {
  if (guard === undefined) return '';
  const name: unknown = typeof guard === 'object' && 'type' in guard ? guard.type : guard;
  return ` [${typeof name === 'function' ? name.name : String(name)}]`;
}

/** Mermaid takes words for ids. */
function idOf(node: AnyStateNode): string {
  return node.path.length === 0 ? node.key : node.path.join('_');
}
