/** Writes a variable into host.conf. Everything else in it stays, comments too. */
import { isMap, parseDocument } from 'yaml';

/** @param text what the file holds; empty where there is none */
export function withHostValue(text: string, name: string, value: string): string {
  if (text.trim() === '') return `${JSON.stringify({ [name]: value }, undefined, 2)}\n`;
  // A comment may follow a comma at once in the old confs, which YAML refuses.
  const document = parseDocument(text.replace(/([,{}[\]])#/g, '$1 #'));
  if (document.errors.length > 0 || !isMap(document.contents)) throw new Error('host.conf is no list of variables');
  document.set(name, value);
  return document.toString({
    lineWidth: 0,
    defaultStringType: document.contents.flow === true ? 'QUOTE_DOUBLE' : 'PLAIN',
    defaultKeyType: document.contents.flow === true ? 'QUOTE_DOUBLE' : 'PLAIN',
  });
}
