/**
 * SentencePiece's model file, of which a tokenizer needs few fields. It is protocol buffers (sentencepiece_model.proto);
 * a library for those would be a hundred times this reader.
 */
import { EntailError } from "../errors.ts";

export interface SentencePieceModel {
  /** Text and log probability by id. */
  pieces: [string, number][];
  /** Ids of pieces that stand for themselves, such as `<s>` (control) and symbols that the trainer was told. */
  control: number[];
  userDefined: number[];
  unkId: number;
  /** The map of the normalizer; undefined where texts stay as they are. */
  charsmap?: Uint8Array<ArrayBuffer>;
}

type Field = { number: number; value: number | Uint8Array<ArrayBuffer> };

const UNIGRAM = 1;
const CONTROL = 3;
const USER_DEFINED = 4;

/** Reads a unigram model; data error that names the file for anything else. */
export function parseSentencePiece(bytes: Uint8Array<ArrayBuffer>, name: string): SentencePieceModel {
  let model: SentencePieceModel & { type: number };
  try {
    model = readModel(bytes);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new EntailError("data", `${name}: is no SentencePiece model or is cut short (${reason}), fetch it again`);
  }
  if (model.type !== UNIGRAM) {
    const type = ["", "unigram", "BPE", "word", "char"][model.type] ?? model.type;
    throw new EntailError("data", `${name}: is a SentencePiece model of type ${type}; only unigram ones can be used`);
  }
  return model;
}

function readModel(bytes: Uint8Array<ArrayBuffer>): SentencePieceModel & { type: number } {
  const model: SentencePieceModel = { pieces: [], control: [], userDefined: [], unkId: 0 };
  let type = UNIGRAM;
  const seen = new Set<number>();
  for (const { number, value } of fields(bytes)) {
    seen.add(number);
    if (number === 1) {
      const piece = readPiece(message(value));
      if (piece.type === CONTROL) model.control.push(model.pieces.length);
      if (piece.type === USER_DEFINED) model.userDefined.push(model.pieces.length);
      model.pieces.push([piece.text, piece.score]);
    } else if (number === 2) {
      const trainer = new Map([...fields(message(value))].map((field) => [field.number, field.value]));
      type = Number(trainer.get(3) ?? UNIGRAM);
      model.unkId = Number(trainer.get(40) ?? 0);
    } else if (number === 3) {
      const charsmap = [...fields(message(value))].find((field) => field.number === 2);
      if (charsmap !== undefined && message(charsmap.value).length > 0) model.charsmap = message(charsmap.value);
    }
  }
  if (model.pieces.length === 0) throw new Error("no pieces");
  // The pieces come first, so a file that ends after one of them lacks these.
  if (!seen.has(2) || !seen.has(3)) throw new Error("no trainer_spec or normalizer_spec");
  if (model.unkId >= model.pieces.length) throw new Error(`no piece ${model.unkId} for the unknown`);
  return { ...model, type };
}

function readPiece(bytes: Uint8Array<ArrayBuffer>): { text: string; score: number; type: number } {
  const piece = { text: "", score: 0, type: 1 };
  for (const { number, value } of fields(bytes)) {
    if (number === 1) piece.text = new TextDecoder("utf-8", { fatal: true }).decode(message(value));
    else if (number === 2) piece.score = float(message(value));
    else if (number === 3) piece.type = Number(value);
  }
  if (!Number.isFinite(piece.score)) throw new Error(`the score of piece "${piece.text}" is ${piece.score}`);
  return piece;
}

function message(value: number | Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (typeof value === "number") throw new Error("a number in place of a message");
  return value;
}

function float(bytes: Uint8Array<ArrayBuffer>): number {
  if (bytes.length !== 4) throw new Error("a score that is no fp32 number");
  return new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true);
}

/** The fields of a message: whole numbers for wire type 0, bytes for the others. */
function* fields(bytes: Uint8Array<ArrayBuffer>): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; scale < 2 ** 70; scale *= 128) {
      if (at >= bytes.length) throw new Error("ends within a number");
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw new Error("a number of more than ten bytes");
  };
  const take = (length: number): Uint8Array<ArrayBuffer> => {
    if (length > bytes.length - at) throw new Error("ends within a field");
    return bytes.subarray(at, at += length);
  };
  const LENGTHS: Record<number, () => number> = { 1: () => 8, 2: varint, 5: () => 4 };
  while (at < bytes.length) {
    const key = varint();
    const wire = key % 8;
    if (wire !== 0 && !(wire in LENGTHS)) throw new Error(`wire type ${wire}`);
    yield { number: Math.floor(key / 8), value: wire === 0 ? varint() : take(LENGTHS[wire]()) };
  }
}
