/**
 * Python's pickles, protocols 2 to 5: a machine with a stack that here builds plain values and can do nothing else. A
 * name of a module is looked up in the caller's table, never imported; what is not in it ends the reading.
 * Opcodes: https://github.com/python/cpython/blob/3.11/Lib/pickletools.py
 */
import { inShort } from "./human.ts";

/** What a name of a module stands for; `call` makes a value of arguments. */
export interface PickleGlobal {
  name: string;
  call?: (args: readonly unknown[]) => unknown;
}

export interface PickleRules {
  /** By "module.name". */
  globals: ReadonlyMap<string, PickleGlobal>;
  /** The object outside of the pickle that a persistent id stands for. */
  persistent(id: unknown): unknown;
  /** Throws for a pickle that cannot be read; `reason` goes on after "the file". */
  fail(reason: string): never;
}

/** Lists, tuples, sets and dictionaries of one pickle: a state dict has six for each tensor. */
const MOST_CONTAINERS = 1_000_000;

const CUT_OFF = "holds a pickle that is cut off";

const isGlobal = (value: unknown): value is PickleGlobal =>
  typeof value === "object" && value !== null && "name" in value && !(value instanceof Map);

/**
 * The value of a pickle: None, booleans, numbers and texts as they are, bytes as an array of them, lists, tuples and
 * sets as arrays, dictionaries as maps.
 */
export function unpickle(bytes: Uint8Array, { globals, persistent, fail }: PickleRules): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stack: unknown[] = [];
  const marks: number[] = [];
  const memo = new Map<number, unknown>();
  let at = 0;
  let containers = 0;
  const damaged = () => fail("holds a damaged pickle");

  const take = (count: number): number => {
    if (!(count <= bytes.length - at)) fail(CUT_OFF);
    at += count;
    return at - count;
  };
  const byte = () => bytes[take(1)];
  const uint16 = () => view.getUint16(take(2), true);
  const uint32 = () => view.getUint32(take(4), true);
  const uint64 = () => Number(view.getBigUint64(take(8), true));
  const raw = (length: number) => bytes.subarray(take(length), at);
  const text = (length: number) => new TextDecoder().decode(raw(length));
  const line = (): string => {
    const end = bytes.indexOf(10, at);
    return end < 0 ? fail(CUT_OFF) : text(end + 1 - at).slice(0, -1);
  };
  const long = (length: number): number => {
    let value = 0n;
    raw(length).forEach((digit, i) => value |= BigInt(digit) << BigInt(8 * i));
    const number = Number(BigInt.asIntN(8 * length, value));
    return Number.isSafeInteger(number) ? number : fail("holds a pickle with a number beyond 2⁵³");
  };

  const push = (value: unknown) => void stack.push(value);
  const pushContainer = (value: unknown[] | Map<unknown, unknown>) => {
    if (++containers > MOST_CONTAINERS) fail(`holds a pickle of more than ${MOST_CONTAINERS} lists and dictionaries`);
    stack.push(value);
  };
  const pop = (): unknown => stack.length > (marks.at(-1) ?? 0) ? stack.pop() : damaged();
  const popAll = (count: number): unknown[] => Array.from({ length: count }, pop).reverse();
  const popToMark = (): unknown[] => stack.splice(marks.pop() ?? damaged());
  const top = <T>(isWanted: (value: unknown) => value is T): T => {
    const value = stack.at(-1);
    return stack.length > (marks.at(-1) ?? 0) && isWanted(value) ? value : damaged();
  };
  const isList = Array.isArray as (value: unknown) => value is unknown[];
  const isMap = (value: unknown): value is Map<unknown, unknown> => value instanceof Map;

  const setItems = (items: readonly unknown[]) => {
    const map = top(isMap);
    if (items.length % 2 !== 0) damaged();
    for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
  };
  const append = (items: readonly unknown[]) => {
    const list = top(isList);
    for (const item of items) list.push(item);
  };
  const pushGlobal = (module: unknown, name: unknown) => {
    if (typeof module !== "string" || typeof name !== "string") damaged();
    const asked = `${module}.${name}`;
    push(
      globals.get(asked) ??
        fail(`asks for ${inShort(asked, 100)}, which is no part of a tensor; nothing of it was run, do not trust it`),
    );
  };
  const call = () => {
    const args = pop();
    const callee = pop();
    if (!isList(args) || !isGlobal(callee)) damaged();
    const { name, call } = callee as PickleGlobal;
    push((call ?? fail(`holds a pickle that calls ${name}`))(args as unknown[]));
  };
  const recall = (index: number) => push(memo.has(index) ? memo.get(index) : damaged());
  const memorise = (index: number) =>
    void memo.set(index, stack.length > (marks.at(-1) ?? 0) ? stack.at(-1) : damaged());

  const OPERATIONS: Record<number, () => void> = {
    0x80: () => { // PROTO
      const protocol = byte();
      if (protocol < 2 || protocol > 5) fail(`holds a pickle of protocol ${protocol}, not 2 to 5`);
    },
    0x95: () => void take(8), // FRAME
    0x28: () => void marks.push(stack.length), // MARK
    0x4e: () => push(null), // NONE
    0x88: () => push(true), // NEWTRUE
    0x89: () => push(false), // NEWFALSE
    0x4a: () => push(view.getInt32(take(4), true)), // BININT
    0x4b: () => push(byte()), // BININT1
    0x4d: () => push(uint16()), // BININT2
    0x8a: () => push(long(byte())), // LONG1
    0x47: () => push(view.getFloat64(take(8), false)), // BINFLOAT
    0x58: () => push(text(uint32())), // BINUNICODE
    0x8c: () => push(text(byte())), // SHORT_BINUNICODE
    0x8d: () => push(text(uint64())), // BINUNICODE8
    0x42: () => push(raw(uint32())), // BINBYTES
    0x43: () => push(raw(byte())), // SHORT_BINBYTES
    0x8e: () => push(raw(uint64())), // BINBYTES8
    0x5d: () => pushContainer([]), // EMPTY_LIST
    0x7d: () => pushContainer(new Map()), // EMPTY_DICT
    0x8f: () => pushContainer([]), // EMPTY_SET
    0x29: () => pushContainer([]), // EMPTY_TUPLE
    0x85: () => pushContainer(popAll(1)), // TUPLE1
    0x86: () => pushContainer(popAll(2)), // TUPLE2
    0x87: () => pushContainer(popAll(3)), // TUPLE3
    0x74: () => pushContainer(popToMark()), // TUPLE
    0x61: () => append(popAll(1)), // APPEND
    0x65: () => append(popToMark()), // APPENDS
    0x90: () => append(popToMark()), // ADDITEMS
    0x73: () => setItems(popAll(2)), // SETITEM
    0x75: () => setItems(popToMark()), // SETITEMS
    0x71: () => memorise(byte()), // BINPUT
    0x72: () => memorise(uint32()), // LONG_BINPUT
    0x94: () => memorise(memo.size), // MEMOIZE
    0x68: () => recall(byte()), // BINGET
    0x6a: () => recall(uint32()), // LONG_BINGET
    0x63: () => pushGlobal(line(), line()), // GLOBAL
    0x93: () => pushGlobal(...popAll(2) as [unknown, unknown]), // STACK_GLOBAL
    0x51: () => push(persistent(pop())), // BINPERSID
    0x52: call, // REDUCE
    0x62: () => { // BUILD: attributes of a dictionary, such as torch's _metadata, say nothing about tensors
      pop();
      top(isMap);
    },
  };
  const STOP = 0x2e;

  for (;;) {
    const code = byte();
    if (code === STOP) return stack.length === 1 && marks.length === 0 ? stack[0] : damaged();
    const operation = OPERATIONS[code] ??
      fail(`holds a pickle with opcode 0x${code.toString(16)}, which no tensor needs`);
    operation();
  }
}
