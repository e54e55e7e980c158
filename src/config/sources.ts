/** Where configuration files are found and how they are read: the user's folder first, then the embedded `configs/`. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseDocument } from "yaml";
import { EntailError, type ErrorKind } from "../errors.ts";
import { isTree, type Tree, type Value } from "./tree.ts";

/** Relative to this module, so that it also holds inside a compiled binary. */
const EMBEDDED = new URL("../../configs/", import.meta.url);

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
  if (!existsSync(configDir) || !statSync(configDir).isDirectory()) {
    throw new EntailError("usage", `--config-dir ${configDir}: there is no such folder`);
  }
  return { folders: [{ path: configDir, name: configDir.replace(/\/+$/, "") }, embedded] };
}

/**
 * Parses YAML whose top level is a mapping (an empty file is an empty one). Errors name file, line and column.
 */
export function parseYamlTree(text: string, name: string, kind: ErrorKind = "usage"): Tree {
  const document = parseDocument(text, { merge: true });
  const problem = document.errors[0];
  if (problem !== undefined) {
    const { line, col } = problem.linePos?.[0] ?? { line: 1, col: 1 };
    const reason = problem.message.split(/ at line \d+|\n/)[0];
    throw new EntailError(kind, `${name}:${line}:${col}: ${reason}`);
  }
  const tree = document.toJS({ maxAliasCount: 100 }) as Value;
  if (tree === null || tree === undefined) return {};
  if (!isTree(tree)) throw new EntailError(kind, `${name}:1:1: a configuration file is a mapping of keys to values`);
  return tree;
}

/** Reads `<path>.yaml` (`path` such as `training/default`), or returns undefined when no folder has it. */
export function readSource(sources: Sources, path: string): SourceFile | undefined {
  for (const folder of sources.folders) {
    const file = join(folder.path, `${path}.yaml`);
    if (!existsSync(file)) continue;
    const name = `${folder.name}/${path}.yaml`;
    const text = readFileSync(file, "utf8");
    return { name, package: /^#\s*@package\s+(\S+)\s*$/m.exec(text)?.[1], tree: parseYamlTree(text, name) };
  }
  return undefined;
}

function entries(sources: Sources, group: string) {
  return sources.folders.flatMap((folder) => {
    const path = join(folder.path, group);
    return existsSync(path) && statSync(path).isDirectory() ? readdirSync(path, { withFileTypes: true }) : [];
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
  return /^[\w-]+(\/[\w-]+)*$/.test(name) && sources.folders.some(({ path }) => {
    const folder = join(path, name);
    return existsSync(folder) && statSync(folder).isDirectory();
  });
}
