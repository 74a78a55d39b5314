export function foreignSymbols(addon: string): readonly string[];
