/** The page of docs/reference about telchap and chaperonectl. */
import { exitHelp, namesHelp, verbHelp, verbsOf } from './chaperonectl/verbs.ts';

/** What stands once at the top of the page. */
function withoutCommonNotes(help: string): string {
  return help.replace(namesHelp, '').replace(exitHelp(), '').trimEnd();
}

/** The page of docs/reference. */
export function referencePage(): string {
  const parts = verbsOf('chaperonectl').map(
    (verb) => `## ${verb.name}\n\n\`\`\`\n${withoutCommonNotes(verbHelp('chaperonectl', verb))}\n\`\`\`\n`,
  );
  return `# telchap and chaperonectl

Generated from [\`src/control/commands.ts\`](../../src/control/commands.ts) and
[\`src/cli/chaperonectl/verbs.ts\`](../../src/cli/chaperonectl/verbs.ts) by \`npm run docs\`; do not edit.

\`telchap\` is the original's tool, with its answers word for word; \`chaperonectl\` knows the same commands and more, and prints JSON
with \`--json\`. ${namesHelp.trim()} Options stand anywhere behind the verb, and may be shortened as
long as they stay unique (\`--dry\`); \`--opt value\` and \`--opt=value\`; \`--\` ends them.
What a reload does to what runs: [Changing a running container](../guide/reload.md).

\`\`\`
${exitHelp()}\`\`\`

## States

| state | a service in it |
|---|---|
| disabled | is not started; what waits for it goes on |
| pending | waits; \`status\` says for what |
| starting | was started, and is not ready yet |
| ready | runs; or was a start that has done its work (oneshot, forking); or is scheduled (cron, inetd) |
| exited | its process, which was the service, has ended normally; what waits for it goes on |
| stopping | is ending; or what is left of a run that failed is |
| backoff | has failed, and waits for its next try |
| stopped | was stopped |
| failed | has failed, and is not tried again |

\`wait\` and \`start --wait\` take \`exited\` for a start that has succeeded. \`is-ready NAME\` says no of it, unless the service has
\`remain_after_exit: true\`; \`is-ready\` without names does not count it. A start of a service that is stopping begins when it has ended. What
runs is not restarted where it could not be started again, since something that it waits for is down: \`restart\` says what, and
\`--force\` goes on.

${parts.join('\n')}`;
}
