/** Tokens that are words by themselves, as the kinds of vocabularies mark them. */
import { bytesAsCharacters, charactersAsText } from "./byte_level.ts";
import type { TokenizerDocument } from "./document.ts";

/**
 * From a token, as the vocabulary spells it, to the word that it is; null for one that goes on with a word, or may: what
 * begins with WordPiece's "##", or lacks the mark of a space before it, SentencePiece's "▁" or GPT-2's "Ġ".
 */
export function wordReader({ model, decoder }: TokenizerDocument): (token: string) => string | null {
  if (model.type === "WordPiece") {
    return (token) => token.startsWith(model.continuing_subword_prefix) ? null : token;
  }
  const isByteLevel = decoder?.type === "ByteLevel";
  const mark = isByteLevel ? bytesAsCharacters(" ") : "▁";
  const read = isByteLevel ? charactersAsText : (text: string) => text;
  return (token) => token.startsWith(mark) ? read(token.slice(mark.length)) : null;
}
