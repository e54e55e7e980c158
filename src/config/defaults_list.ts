/**
 * Hydra's defaults list: which files make the configuration, and in which order. As in Hydra the list is walked from
 * its end, so that an entry `override /model: deberta_tiny` of a data option reaches the `model` entry before it; an
 * override on the command line wins over those.
 */
import { EntailError } from "../errors.ts";
import { inShort } from "../formats/human.ts";
import { nearest } from "./nearest.ts";
import type { Override } from "./override_grammar.ts";
import { groupsOf, isGroup, optionsOf, readSource, type SourceFile, type Sources } from "./sources.ts";
import { isTree, mergeInto, putAt, type Tree, type Value } from "./tree.ts";

interface Entry {
  kind: "self" | "config" | "group" | "override";
  group: string;
  option: string | null;
  optional: boolean;
}

function usage(message: string): never {
  throw new EntailError("usage", message);
}

function fault(file: SourceFile, item: Value): never {
  return usage(
    `${file.name}: defaults: cannot read the entry ${
      inShort(JSON.stringify(item))
    }; write "_self_", "option" or "group: option"`,
  );
}

/** Reads one entry; groups become absolute (`parent` is the group of the file that holds the list). */
function readEntry(file: SourceFile, item: Value, parent: string): Entry {
  const absolute = (name: string) => name.startsWith("/") ? name.slice(1) : parent === "" ? name : `${parent}/${name}`;
  if (item === "_self_") return { kind: "self", group: "", option: null, optional: false };
  if (typeof item === "string") return { kind: "config", group: parent, option: absolute(item), optional: false };
  const pairs = isTree(item) ? Object.entries(item) : [];
  if (pairs.length !== 1) return fault(file, item);
  const [words, option] = pairs[0];
  const match = /^(optional\s+|override\s+)?(\/?[\w-]+(?:\/[\w-]+)*)$/.exec(words);
  if (match === null || (option !== null && typeof option !== "string")) return fault(file, item);
  const keyword = match[1]?.trim();
  return {
    kind: keyword === "override" ? "override" : "group",
    group: absolute(match[2]),
    option,
    optional: keyword === "optional",
  };
}

/** The message for an option that a group does not have. */
function unknownOption(sources: Sources, group: string, option: string): string {
  const options = optionsOf(sources, group);
  if (options.length === 0) return `unknown option "${inShort(option)}": group "${group}" has no options`;
  return `unknown option "${inShort(option)}" of group "${group}"; did you mean "${nearest(option, options)}"? ` +
    `(there are: ${options.join(", ")})`;
}

/** How many files a configuration may be made of: lists that name each other can ask for any number. */
const MOST_FILES = 1000;

/** A file of the composition. */
export interface ConfigPart {
  file: SourceFile;
  /** The dotted key that its content is put at; "" is the top. */
  place: string;
  /** The file whose defaults list names it; null: it is the primary one. */
  parent: SourceFile | null;
}

/** The primary configuration file of every command. */
export const PRIMARY = "config";

/** Composes the files of the defaults list of `name`. `overrides` are those whose key is a group. */
export function composeDefaults(sources: Sources, overrides: Override[], name?: string): Tree {
  const tree: Tree = {};
  for (const { file, place } of configParts(sources, overrides, name)) {
    const { defaults: _, ...content } = file.tree;
    if (place === "") mergeInto(tree, content);
    else putAt(tree, place.split("."), content);
  }
  return tree;
}

/** The files that `composeDefaults` merges, in order. */
export function configParts(sources: Sources, overrides: Override[], name: string = PRIMARY): ConfigPart[] {
  const chosen = new Map<string, string | null>();
  const removed = new Map<string, Override>();
  const appended: Entry[] = [];
  for (const override of overrides) {
    const { kind, key, value, text } = override;
    if (kind === "delete") {
      removed.set(key, override);
      continue;
    }
    if (typeof value !== "string") {
      usage(`override "${text}": the option of a group is a name (there are: ${optionsOf(sources, key).join(", ")})`);
    }
    chosen.set(key, value);
    if (kind !== "change") appended.push({ kind: "group", group: key, option: value, optional: false });
  }

  let files = 0;
  const used = new Map<string, string | null>();
  const fromCommandLine = new Set(chosen.keys());

  /** The files below one file, in order of composition. */
  function expand(file: SourceFile, group: string, place: string, chain: SourceFile[]): ConfigPart[] {
    if (chain.some(({ name }) => name === file.name)) usage(`${file.name}: defaults: the file includes itself`);
    if (++files > MOST_FILES) usage(`${file.name}: defaults: more than ${MOST_FILES} files in all`);
    const list = file.tree.defaults ?? [];
    if (!Array.isArray(list)) usage(`${file.name}: "defaults" must be a list`);
    const own = list.map((item) => readEntry(file, item, group));
    for (const entry of own.filter(({ kind }) => kind === "override")) applyOverride(file, entry);
    const children = own.filter(({ kind }) => kind !== "override");
    if (!children.some(({ kind }) => kind === "self")) {
      children.push({ kind: "self", group: "", option: null, optional: false });
    }
    if (chain.length === 0) {
      children.push(...appended.filter((entry) => !own.some(({ group }) => group === entry.group)));
    }
    const parent = chain.at(-1) ?? null;
    const parts = children.map((): ConfigPart[] => []);
    const visit = (index: number) => {
      const entry = children[index];
      parts[index] = entry.kind === "self" ? [{ file, place, parent }] : expandChild(entry, place, [...chain, file]);
    };
    // Entries with `${group}` wait for the choices of all others.
    const indices = [...children.keys()].reverse();
    indices.filter((index) => !children[index].option?.includes("${")).forEach(visit);
    indices.filter((index) => children[index].option?.includes("${")).forEach(visit);
    return parts.flat();
  }

  function applyOverride(file: SourceFile, { group, option }: Entry) {
    if (fromCommandLine.has(group)) return;
    if (used.has(group) && used.get(group) !== option) {
      usage(`${file.name}: defaults: "override /${group}" must come after the entry "${group}" in the defaults list`);
    }
    if (!chosen.has(group)) chosen.set(group, option);
  }

  function expandChild(entry: Entry, target: string, chain: SourceFile[]): ConfigPart[] {
    const parent = chain.at(-1)!;
    if (entry.kind === "config") {
      const file = readSource(sources, entry.option!) ?? usage(
        `${parent.name}: defaults: there is no configuration file "${inShort(entry.option!)}"`,
      );
      return expand(file, entry.group, target, chain);
    }
    const { group } = entry;
    const deletion = removed.get(group);
    const option = optionFor(parent, entry);
    if (deletion !== undefined && (deletion.value === undefined || deletion.value === option)) {
      removed.delete(group);
      return [];
    }
    used.set(group, option);
    if (option === null) return [];
    const file = readSource(sources, `${group}/${option}`);
    if (file === undefined) return entry.optional ? [] : usage(unknownOption(sources, group, option));
    return expand(file, group, placeOf(file, group), chain);
  }

  /** The option of an entry; `${data}` in it stands for the option chosen for the group `data`. */
  function optionFor(parent: SourceFile, { group, option }: Entry): string | null {
    const text = chosen.has(group) ? chosen.get(group)! : option;
    return text?.replace(/\$\{([^}]*)\}/g, (_, name: string) => {
      const other = chosen.get(name.trim()) ?? used.get(name.trim());
      return other ??
        usage(`${parent.name}: defaults: "${inShort(text)}": no option is chosen for the group "${inShort(name)}"`);
    }) ?? null;
  }

  const root = readSource(sources, name) ?? usage(noPrimary(sources, name));
  const ofRoot = name.split("/").slice(0, -1).join("/");
  const parts = expand(root, ofRoot, placeOf(root, ofRoot), []);
  const left = [...removed.values()][0];
  if (left !== undefined) usage(`override "${left.text}": no such entry in the defaults list`);
  for (const group of fromCommandLine) {
    if (!used.has(group)) {
      usage(`group "${group}" is not in the defaults list; add it with +${group}=${chosen.get(group)}`);
    }
  }
  return parts;
}

/** The package of a file: the one that it names, or else its group. */
function placeOf(file: SourceFile, group: string): string {
  if (file.package === "_global_") return "";
  return file.package === undefined || file.package === "_group_" ? group.replaceAll("/", ".") : file.package;
}

/** The message where the primary file is not there. */
function noPrimary(sources: Sources, name: string): string {
  const folders = sources.folders.map((folder) => folder.name).join(", ");
  const names = optionsOf(sources, "");
  const meant = names.length === 0 ? "" : `; did you mean "${nearest(name, names)}"?`;
  return `there is no configuration file ${inShort(name)}.yaml in ${folders}${meant}`;
}

/** The message for a group that does not exist. */
export function unknownGroup(sources: Sources, name: string): string {
  const groups = groupsOf(sources);
  return `unknown group "${inShort(name)}"; did you mean "${nearest(name, groups)}"? (there are: ${groups.join(", ")})`;
}

export { isGroup };
