/** Reads what a child process was to answer in JSON. Where it crashed instead, the test shows the child's own error. */
export function answerOf(stdout: string, stderr = '', status: unknown = undefined): unknown {
  try {
    return JSON.parse(stdout);
  } catch {
    const ended = status === undefined ? '' : `, and ended with ${JSON.stringify(status)}`;
    throw new Error(`the child process gave no answer${ended}:\n${stdout}${stderr}`);
  }
}
