/** Where the files of an archive lie: PKWARE's APPNOTE 6.3, sections 4.3 to 4.5, as much as torch writes of it. */
import { EntailError } from "../errors.ts";
import { readAt } from "./tensor_source.ts";

/** A file of an archive: `size` bytes from `begin`. Those of a compressed one are not the file's own. */
export interface ZipEntry {
  name: string;
  begin: number;
  size: number;
  compressed: boolean;
}

const END_BYTES = 22;
const LONGEST_COMMENT = 0xffff;
const LOCATOR_BYTES = 20;
const LOCAL_HEADER_BYTES = 30;

/** An archive with a longer list of files is no checkpoint. */
const LONGEST_DIRECTORY = 1 << 26;

const SIGNATURE = { local: 0x04034b50, central: 0x02014b50, end: 0x06054b50, locator: 0x07064b50, end64: 0x06064b50 };

/**
 * The files of a zip archive by name. Data error for what is no archive, and for one that is cut off, damaged or
 * encrypted.
 */
export function readZip(file: Deno.FsFile, path: string): Map<string, ZipEntry> {
  const fail = (reason: string): never => {
    throw new EntailError("data", `${path}: ${reason}`);
  };
  const total = file.statSync().size;
  const viewAt = (position: number, length: number): DataView => {
    if (!(position >= 0 && position + length <= total)) fail("is a zip archive that is truncated or damaged");
    return new DataView(readAt(file, path, position, length).buffer);
  };

  const { begin, length } = locateDirectory();
  if (length > LONGEST_DIRECTORY) fail(`its list of files would have ${length} bytes, it is damaged`);
  const directory = viewAt(begin, length);
  const entries = new Map<string, ZipEntry>();
  for (let at = 0; at < length;) {
    if (at + 46 > length || directory.getUint32(at, true) !== SIGNATURE.central) fail("its list of files is damaged");
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((field) => directory.getUint16(at + field, true));
    const end = at + 46 + nameLength + extraLength + commentLength;
    if (end > length) fail("its list of files is damaged");
    const name = new TextDecoder().decode(new Uint8Array(directory.buffer, at + 46, nameLength));
    if (entries.has(name)) fail(`has two files called "${name}"`);
    entries.set(name, placeOf(name, at, new DataView(directory.buffer, at + 46 + nameLength, extraLength)));
    at = end;
  }
  return entries;

  /** The list of files, by the record at the archive's end, or the one of zip64 that it refers to. */
  function locateDirectory(): { begin: number; length: number } {
    const tailBytes = Math.min(total, END_BYTES + LONGEST_COMMENT);
    const tail = viewAt(total - tailBytes, tailBytes);
    let at = tailBytes - END_BYTES;
    while (at >= 0 && tail.getUint32(at, true) !== SIGNATURE.end) at--;
    if (at < 0) fail("has no list of files at its end: it is truncated, or not a file of torch.save");
    const length = tail.getUint32(at + 12, true);
    const begin = tail.getUint32(at + 16, true);
    if (length !== 0xffffffff && begin !== 0xffffffff) return { begin, length };
    const locator = viewAt(total - tailBytes + at - LOCATOR_BYTES, LOCATOR_BYTES);
    if (locator.getUint32(0, true) !== SIGNATURE.locator) fail("is a zip64 archive that is damaged");
    const end64 = viewAt(Number(locator.getBigUint64(8, true)), 56);
    if (end64.getUint32(0, true) !== SIGNATURE.end64) fail("is a zip64 archive that is damaged");
    return { begin: Number(end64.getBigUint64(48, true)), length: Number(end64.getBigUint64(40, true)) };
  }

  function placeOf(name: string, at: number, extra: DataView): ZipEntry {
    if ((directory.getUint16(at + 8, true) & 1) !== 0) fail(`its file "${name}" is encrypted`);
    const compressed = directory.getUint16(at + 10, true) !== 0;
    const wide = zip64Fields(extra);
    // In this order they are in the extra field where 32 bits do not hold them.
    const field = (offset: number): number => {
      const short = directory.getUint32(at + offset, true);
      if (short !== 0xffffffff) return short;
      return wide.shift() ?? fail(`its file "${name}" has no size`);
    };
    const [whole, size, header] = [24, 20, 42].map(field);
    if (whole !== size && !compressed) fail(`its file "${name}" has two sizes`);
    const local = viewAt(header, LOCAL_HEADER_BYTES);
    if (local.getUint32(0, true) !== SIGNATURE.local) fail(`its file "${name}" is not where its list says`);
    const begin = header + LOCAL_HEADER_BYTES + local.getUint16(26, true) + local.getUint16(28, true);
    if (!(begin + size <= total)) fail(`its file "${name}" is cut off, the archive is truncated or damaged`);
    return { name, begin, size, compressed };
  }
}

/** The 64-bit numbers of a file's zip64 field; none where it has no such field. */
function zip64Fields(extra: DataView): number[] {
  for (let at = 0; at + 4 <= extra.byteLength;) {
    const length = Math.min(extra.getUint16(at + 2, true), extra.byteLength - at - 4);
    if (extra.getUint16(at, true) === 1) {
      return Array.from({ length: length >> 3 }, (_, i) => Number(extra.getBigUint64(at + 4 + 8 * i, true)));
    }
    at += 4 + length;
  }
  return [];
}
