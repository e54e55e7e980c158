/** Where configuration files are found and how they are read: the user's folder first, then the embedded `configs/`. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseDocument } from "../packages/yaml.ts";
import { EntailError, type ErrorKind } from "../errors.ts";
import { inShort } from "../formats/human.ts";
import { decodeUtf8, readError } from "../formats/text.ts";
import { isTooDeep, isTree, MAX_DEPTH, type Tree, type Value } from "./tree.ts";

/** Relative to this module, so that it also holds inside a compiled binary. */
const EMBEDDED = new URL("../../configs/", import.meta.url);

/** The largest configuration file in bytes: the parser's time grows with the square of the keys. */
const LARGEST_FILE = 2 ** 18;

/** What the parser says in words of its own. */
const REASONS: Record<string, string> = {
  RESOURCE_EXHAUSTION: "nested too deep",
  MULTIPLE_DOCS: "a second document; a configuration file holds one",
};

/** One configuration file, read. */
export interface SourceFile {
  /** The name for messages. */
  name: string;
  /** The package of the `# @package …` header, if there is one. */
  package: string | undefined;
  tree: Tree;
}

/** A folder with configuration files. */
interface Folder {
  path: string;
  /** What messages call it. */
  name: string;
}

/** The folders that are searched, the first one first. */
export interface Sources {
  folders: Folder[];
}

/** The search path. Throws a usage `EntailError` when the user's folder does not exist. */
export function openSources(configDir?: string): Sources {
  const embedded = { path: fileURLToPath(EMBEDDED), name: "configs" };
  if (configDir === undefined) return { folders: [embedded] };
  const option = `--config-dir ${inShort(configDir)}`;
  if (!isFolder(configDir)) throw new EntailError("usage", `${option}: there is no such folder`);
  reading(option, "usage", () => readdirSync(configDir));
  return { folders: [{ path: configDir, name: configDir.replace(/\/+$/, "") }, embedded] };
}

function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}

/** What `read` returns; its errors are of the given kind and name `name`. */
function reading<Result>(name: string, kind: ErrorKind, read: () => Result): Result {
  try {
    return read();
  } catch (cause) {
    throw new EntailError(kind, (readError(cause, name) as Error).message, { cause });
  }
}

/** The text of a configuration file, which messages call `name`. */
export function readConfigText(path: string, name: string, kind: ErrorKind = "usage"): string {
  return reading(name, kind, () => decodeUtf8(Deno.readFileSync(path), name));
}

/**
 * Parses YAML whose top level is a mapping (an empty file is an empty one). Errors name file, line and column.
 */
export function parseYamlTree(text: string, name: string, kind: ErrorKind = "usage"): Tree {
  if (text.length > LARGEST_FILE) throw new EntailError(kind, `${name}: larger than ${LARGEST_FILE / 1024} KiB`);
  const document = parseDocument(text, { merge: true, resolveKnownTags: false, logLevel: "error" });
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem !== undefined) {
    const { line, col } = problem.linePos?.[0] ?? { line: 1, col: 1 };
    const reason = REASONS[problem.code] ?? inShort(problem.message.split(/ at line \d+|\n/)[0]);
    throw new EntailError(kind, `${name}:${line}:${col}: ${reason}`);
  }
  let tree: Value | undefined;
  try {
    tree = document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    // Aliases that have no anchor, stand for too much, or merge what is no mapping.
    throw new EntailError(kind, `${name}: ${inShort((cause as Error).message)}`, { cause });
  }
  if (tree === null || tree === undefined) return {};
  if (!isTree(tree)) throw new EntailError(kind, `${name}:1:1: a configuration file is a mapping of keys to values`);
  if (isTooDeep(tree)) {
    throw new EntailError(kind, `${name}: nested deeper than ${MAX_DEPTH}, or an alias inside its own anchor`);
  }
  return tree;
}

/**
 * Reads `<path>.yaml` (`path` such as `training/default`), or returns undefined when no folder has it. A path does not
 * lead out of the folders.
 */
export function readSource(sources: Sources, path: string): SourceFile | undefined {
  if (path.split(/[\\/]/).includes("..")) return undefined;
  for (const folder of sources.folders) {
    const file = join(folder.path, `${path}.yaml`);
    if (!existsSync(file)) continue;
    const name = `${folder.name}/${path}.yaml`;
    const text = readConfigText(file, name);
    return { name, package: /^#\s*@package\s+(\S+)\s*$/m.exec(text)?.[1], tree: parseYamlTree(text, name) };
  }
  return undefined;
}

function entries(sources: Sources, group: string) {
  return sources.folders.flatMap((folder) => {
    const path = join(folder.path, group);
    if (!isFolder(path)) return [];
    return reading(path, "usage", () => readdirSync(path, { withFileTypes: true }));
  });
}

/** The options of a group in alphabetical order. */
export function optionsOf(sources: Sources, group: string): string[] {
  const names = entries(sources, group).filter((entry) => entry.isFile() && entry.name.endsWith(".yaml"));
  return [...new Set(names.map((entry) => entry.name.slice(0, -".yaml".length)))].sort();
}

/** The groups: the folders of the search path. */
export function groupsOf(sources: Sources): string[] {
  return [...new Set(entries(sources, "").filter((entry) => entry.isDirectory()).map((entry) => entry.name))].sort();
}

/** Whether a name (`model`, `db/engine`) is a group. */
export function isGroup(sources: Sources, name: string): boolean {
  return /^[\w-]+(\/[\w-]+)*$/.test(name) && sources.folders.some(({ path }) => isFolder(join(path, name)));
}
