/** A command that a service runs beside its own; its words are known when the service is configured. */
export interface HelperCommand {
  readonly command: string;
  /** Never empty. */
  readonly argv: readonly string[];
}
