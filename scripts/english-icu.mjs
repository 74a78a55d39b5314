// Takes out of a Node, which is a program for Linux, what ICU needs for other languages than English: 28 of the 33 MB of data that are
// linked into it. Chaperone formats dates and numbers in English alone, so that nothing of it is ever read. What stays is as complete
// as before: all time zones, normal forms, properties of characters and the clusters that a terminal shows as one.
//
//   node scripts/english-icu.mjs NODE    changes the file
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Bytes to which pages of all processors are aligned. */
const page = 1 << 16;
const up = (value, step) => Math.ceil(value / step) * step;

/** Resources of a folder that belong to no language. */
const common = /^(?:en(?:_\w+)?|root|pool|res_index|supplementalData|tzdbNames)\.res$/;
/** Lists of words, rules where lines break, names of characters, transliterations, tables of other encodings than Unicode. */
const unused = /^(?:.+\.(?:cnv|dict)|brkitr\/line.*|brkitr\/title\.brk|translit\/.+|unames\.icu)$/;
const language = /^[a-z]{2,3}(?:_\w+)?\.res$/;

/** @param name as in the data: `zone/de_AT.res` */
function isKept(name) {
  if (unused.test(name)) return false;
  const [file, folder] = name.split('/').reverse();
  return common.test(file) || (folder === undefined && !language.test(file)) || !file.endsWith('.res');
}

/** @returns whether the file has such data; a Node that uses a library of the system has none */
export function keepEnglish(file) {
  const bytes = readFileSync(file);
  const data = findData(bytes);
  if (data === undefined) return false;
  const smaller = pack(bytes, data);
  bytes.fill(0, data.start, data.end);
  smaller.copy(bytes, data.start);
  writeFileSync(file, cut(bytes, data.start + smaller.length, data.end));
  return true;
}

/**
 * Where ICU's data are: a header, the number of items, two offsets of each (its name, its content), the names, the contents. They are
 * described in ICU's source beside `UDataOffsetTOC`. All offsets count from the number.
 */
function findData(bytes) {
  for (let format = bytes.indexOf('CmnD'); format !== -1; format = bytes.indexOf('CmnD', format + 1)) {
    const start = format - 12;
    const isHeader = bytes.readUInt16LE(start + 2) === 0x27_da && bytes[start + 8] === 0;
    if (!isHeader) continue;
    const table = start + bytes.readUInt16LE(start);
    const items = Array.from({ length: bytes.readUInt32LE(table) }, (_, index) => {
      const entry = table + 4 + 8 * index;
      const from = table + bytes.readUInt32LE(entry);
      return {
        name: bytes.toString('latin1', from, bytes.indexOf(0, from)),
        start: table + bytes.readUInt32LE(entry + 4),
      };
    });
    const end = endOfResource(bytes, items.at(-1));
    return { start, table, end, items: items.map((item, index) => ({ ...item, end: items[index + 1]?.start ?? end })) };
  }
  return undefined;
}

/** The last item, whose end no other one tells, is a resource: behind its header stand a word and its indexes, the fourth being its size. */
function endOfResource(bytes, { name, start }) {
  const content = start + bytes.readUInt16LE(start);
  if (bytes.toString('latin1', start + 12, start + 16) !== 'ResB') throw new Error(`${name} is no resource`);
  return content + 4 * bytes.readUInt32LE(content + 4 + 4 * 3);
}

function pack(bytes, { start, table, items }) {
  const kept = items.filter(({ name }) => isKept(name.slice(name.indexOf('/') + 1)));
  const names = kept.map(({ name }) => Buffer.from(`${name}\0`, 'latin1'));
  const head = Buffer.alloc(up(4 + 8 * kept.length + names.reduce((sum, { length }) => sum + length, 0), 16));
  head.writeUInt32LE(kept.length, 0);
  let nameAt = 4 + 8 * kept.length;
  let contentAt = head.length;
  const contents = kept.map((item, index) => {
    head.writeUInt32LE(nameAt, 4 + 8 * index);
    head.writeUInt32LE(contentAt, 8 + 8 * index);
    nameAt += names[index].copy(head, nameAt);
    const content = Buffer.alloc(up(item.end - item.start, 16));
    bytes.copy(content, 0, item.start, item.end);
    contentAt += content.length;
    return content;
  });
  return Buffer.concat([bytes.subarray(start, table), head, ...contents]);
}

const programHeader = { size: 56, load: 1, note: 4 };

/**
 * Leaves whole pages between two offsets out of a program for 64 bits. All addresses stay: what was one segment becomes two, and the
 * header of the second takes the place of the one of the notes, which tell debuggers of the build. Sections, which nothing reads that
 * runs a program, are left out, too.
 */
function cut(bytes, from, to) {
  const table = Number(bytes.readBigUInt64LE(32));
  const headers = Array.from({ length: bytes.readUInt16LE(56) }, (_, index) =>
    readHeader(bytes, table + index * programHeader.size),
  );
  const around = headers.find(
    ({ type, offset, size }) => type === programHeader.load && offset <= from && to <= offset + size,
  );
  if (around === undefined) throw new Error('the data of ICU lie in no segment');
  const address = (offset) => around.address + offset - around.offset;
  const begin = from + up(address(from), page) - address(from);
  const end = to - (address(to) % page);
  if (begin >= end) throw new Error(`there is less than a page between ${from} and ${to}`);
  const less = end - begin;
  const split = headers.flatMap((header) => {
    if (header === around) {
      const size = begin - header.offset;
      const rest = header.offset + header.size - end;
      return [
        { ...header, size, memory: size },
        { ...header, offset: begin, address: address(end), size: rest, memory: rest },
      ];
    }
    if (header.type === programHeader.note) return [];
    return [header.offset >= end ? { ...header, offset: header.offset - less } : header];
  });
  if (split.length > headers.length) throw new Error('there is no room for the header of one more segment');
  const last = Math.max(
    ...split.filter(({ type }) => type === programHeader.load).map(({ offset, size }) => offset + size),
  );
  const result = Buffer.concat([bytes.subarray(0, begin), bytes.subarray(end)]).subarray(0, last);
  result.fill(0, table, table + headers.length * programHeader.size);
  for (const [index, header] of split.entries()) writeHeader(result, table + index * programHeader.size, header);
  result.writeUInt16LE(split.length, 56);
  // The table of sections: where it is, how many they are, which one has their names.
  result.writeBigUInt64LE(0n, 40);
  result.writeUInt16LE(0, 60);
  result.writeUInt16LE(0, 62);
  return result;
}

function readHeader(bytes, at) {
  const word = (index) => Number(bytes.readBigUInt64LE(at + 8 * index));
  return {
    type: bytes.readUInt32LE(at),
    flags: bytes.readUInt32LE(at + 4),
    offset: word(1),
    address: word(2),
    size: word(4),
    memory: word(5),
    align: word(6),
  };
}

function writeHeader(bytes, at, { type, flags, offset, address, size, memory, align }) {
  bytes.writeUInt32LE(type, at);
  bytes.writeUInt32LE(flags, at + 4);
  // Of the two addresses of a segment, the physical one is the same.
  for (const [index, word] of [offset, address, address, size, memory, align].entries()) {
    bytes.writeBigUInt64LE(BigInt(word), at + 8 * (index + 1));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [file] = process.argv.slice(2);
  if (file === undefined) throw new Error('expected the program of Node');
  if (!keepEnglish(file)) process.stdout.write(`${file} brings no data of ICU\n`);
}
