/** Bytes as characters that can be seen, as GPT-2's vocabulary writes them. */

const CHARACTERS: readonly string[] = (() => {
  const visible = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let hidden = 0;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(visible(byte) ? byte : 256 + hidden++));
})();

const ENCODER = new TextEncoder();

const BYTES: ReadonlyMap<string, number> = new Map(CHARACTERS.map((character, byte) => [character, byte]));

const DECODER = new TextDecoder();

/** The text whose UTF-8 bytes are these characters; "\ufffd" stands for what is not whole. */
export const charactersAsText = (characters: string): string =>
  DECODER.decode(Uint8Array.from(characters, (character) => BYTES.get(character) ?? 0xff));

/** The UTF-8 bytes of a text, a character each. */
export function bytesAsCharacters(text: string): string {
  let characters = "";
  for (const byte of ENCODER.encode(text)) characters += CHARACTERS[byte];
  return characters;
}
