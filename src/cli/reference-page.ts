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

\`telchap\` is the tool of the original Chaperone, with the same answers word for word; \`chaperonectl\` knows the same commands and more, and prints JSON
with \`--json\`. ${namesHelp.trim()} Options may stand anywhere behind the verb, and may be shortened as
long as they stay unique (\`--dry\`), or mean only one that the original has, too (\`stop --d\` is \`--disable\`); their values are
written \`--opt value\` or \`--opt=value\`; \`--\` ends the options.
[Changing a running container](../guide/reload.md) says what a reload does to running services.

\`\`\`
${exitHelp()}\`\`\`

## States

| state | a service in it |
|---|---|
| disabled | is not started; services that wait for it go on |
| pending | waits to start; \`status\` says what it waits for |
| starting | was started, and is not ready yet |
| ready | runs; or has done the work of its start (oneshot, forking); or is scheduled (cron, inetd) |
| exited | had one main process, which has ended normally; services that wait for it go on |
| stopping | is ending; or the remaining processes of its failed run are ending |
| backoff | has failed, and waits for its next try |
| stopped | was stopped |
| failed | has failed, and is not tried again |

\`wait\` and \`start --wait\` count \`exited\` as a start that has succeeded. \`is-ready NAME\` counts an exited service as not ready, unless it has
\`remain_after_exit: true\`; \`is-ready\` without names leaves it out. A start of a service that is stopping begins when the service has ended.
\`restart\` refuses to restart a running service that could not be started again because a service that it waits for is down; it names that
service, and \`--force\` restarts all the same.

${parts.join('\n')}`;
}
