import { foreignWord, sectionAdvice } from './foreign-words.ts';
import type { MistakeHelp } from './load.ts';
import { describeSyntax, foreignFile } from './yaml-mistakes.ts';

export const mistakeHelp: MistakeHelp = { describeSyntax, foreignFile, wordOf: foreignWord, sectionAdvice };
