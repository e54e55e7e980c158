/** ONNX files of one matrix product, written by hand: a few nested protobuf messages (onnx/onnx.proto). */
import type { Operands } from "./job.ts";

type Bytes = number[];

const varint = (value: number): Bytes => value < 128 ? [value] : [value % 128 + 128, ...varint(value >>> 7)];
const integer = (field: number, value: number): Bytes => [...varint(field << 3), ...varint(value)];
const message = (field: number, ...parts: Bytes[]): Bytes => {
  const content = parts.flat();
  return [...varint(field << 3 | 2), ...varint(content.length), ...content];
};
const text = (field: number, value: string): Bytes => message(field, [...new TextEncoder().encode(value)]);

const FLOAT = 1;
const INT = 2;

const valueInfo = (field: number, name: string, shape: readonly number[]): Bytes => {
  const dimensions = shape.map((size) => message(1, integer(1, size)));
  return message(field, text(1, name), message(2, message(1, integer(1, FLOAT), message(2, ...dimensions))));
};
const attribute = (name: string, value: boolean): Bytes =>
  message(5, text(1, name), integer(3, value ? 1 : 0), integer(20, INT));

/** c = Gemm(a, b). */
export function gemmModel({ a, b, transposeA, transposeB, m, n }: Operands): Uint8Array {
  const node = [text(1, "a"), text(1, "b"), text(2, "c"), text(4, "Gemm")];
  const attributes = [attribute("transA", transposeA), attribute("transB", transposeB)];
  const graph = [
    message(1, ...node, ...attributes),
    text(2, "product"),
    ...[valueInfo(11, "a", a), valueInfo(11, "b", b)],
    valueInfo(12, "c", [m, n]),
  ];
  const [irVersion, opset] = [8, 13];
  return Uint8Array.from([...integer(1, irVersion), ...message(7, ...graph), ...message(8, integer(2, opset))]);
}
