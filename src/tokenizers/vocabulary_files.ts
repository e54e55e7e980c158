/** The files that vocabularies are published in. */
import { EntailError } from "../errors.ts";
import { readJson } from "../formats/json.ts";
import { readError, readText } from "../formats/text.ts";
import { checkVocabulary } from "./checks.ts";
import type { Vocabulary } from "./classes.ts";
import type { UnigramModel } from "./document.ts";
import { parseSentencePiece } from "./sentencepiece.ts";

export const exists = (path: string): Promise<boolean> => Deno.stat(path).then(() => true, () => false);

async function readBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    throw readError(error, path);
  }
}

/** `spm.model` and its like. */
export async function readSentencePiece(path: string): Promise<Vocabulary & { model: UnigramModel }> {
  const { pieces, control, userDefined, unkId, charsmap } = parseSentencePiece(await readBytes(path), path);
  const special = new Set(control);
  const own = [...control, ...userDefined].sort((a, b) => a - b);
  return {
    model: { type: "Unigram", vocab: pieces, unk_id: unkId },
    charsmap: charsmap?.toBase64(),
    ownTokens: own.map((id) => ({
      content: pieces[id][0],
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: special.has(id),
    })),
  };
}

/** `vocab.txt`: a piece a line, the line its id. */
export async function readWordPieces(path: string): Promise<Vocabulary> {
  const lines = (await readText(path)).split("\n");
  if (lines.at(-1) === "") lines.pop();
  if (lines.length === 0) throw new EntailError("data", `${path}: has no pieces`);
  const vocab = Object.fromEntries(lines.map((line, id) => [line.replace(/\p{White_Space}+$/u, ""), id]));
  return { model: { type: "WordPiece", vocab, unk_token: "", continuing_subword_prefix: "##" } };
}

/** `vocab.json` and `merges.txt`: pieces with their ids, and the pairs that are joined. */
export async function readBytePairs(path: string, mergesPath: string): Promise<Vocabulary> {
  const vocab = await readJson(path) as Record<string, number>;
  checkVocabulary(vocab, path, "the vocabulary");
  if (!await exists(mergesPath)) throw new EntailError("data", `${mergesPath}: is missing beside vocab.json`);
  const lines = (await readText(mergesPath)).split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  const merges = lines.map((line, index): [string, string] | undefined => {
    if (line.startsWith("#version")) return undefined;
    const pair = line.split(" ");
    if (pair.length === 2) return pair as [string, string];
    throw new EntailError("data", `${mergesPath}:${index + 1}: must be two pieces with a space between them`);
  });
  return { model: { type: "BPE", vocab, merges: merges.filter((merge) => merge !== undefined) } };
}
