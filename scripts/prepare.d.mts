/** Absolute, with a slash at its end. */
export const root: string;
export function prepare(): Promise<void>;
export function isBuilt(): boolean;
