/**
 * The configuration of a run, with Hydra's semantics: files in `configs/` are composed by their defaults lists,
 * overrides change them, interpolations are resolved, and the result is checked against the schema.
 */
import { stringify } from "../packages/yaml.ts";
import { EntailError } from "../errors.ts";
import { inShort } from "../formats/human.ts";
import { withoutCredentials, withoutPasswords } from "../formats/secrets.ts";
import { composeDefaults, configParts, isGroup, unknownGroup } from "./defaults_list.ts";
import { fillDefaults, isOpenMap, schemaAt } from "./introspection.ts";
import { type Override, parseOverride } from "./override_grammar.ts";
import { type Config, ConfigSchema } from "./schema.ts";
import { openSources, parseYamlTree, readConfigText, type Sources } from "./sources.ts";
import {
  isTree,
  leavesOf,
  mapTexts,
  putAt,
  removeAt,
  splitKey,
  type Tree,
  type Value,
  valueAt,
  withoutInterpolation,
} from "./tree.ts";
import { checkedConfig, unknownKey } from "./validation.ts";

export type * from "./settings.ts";
export { conditionNames, wantedValues } from "./hpo_schema.ts";

/** Where to look for configuration files. */
export interface ComposeOptions {
  /** A folder of the user's with `config.yaml`, groups or options of its own; it is searched first. */
  configDir?: string;
  /** The primary file, without `.yaml`: `config` by default. */
  configName?: string;
}

function usage(message: string): never {
  throw new EntailError("usage", message);
}

function sameValue(a: Value | undefined, b: Value | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Applies one override of a key (not of a group) to the composed tree, by Hydra's rules. */
function applyOverride(tree: Tree, { kind, key, value, text }: Override, sources: Sources) {
  if (key.includes("/")) usage(unknownGroup(sources, key));
  const path = splitKey(tree, key);
  const schema = schemaAt(ConfigSchema, path);
  if (schema === undefined) usage(unknownKey(key, tree));
  const present = valueAt(tree, path);
  if (kind === "delete") {
    if (present === undefined) usage(`override "${text}": "${key}" is not in the configuration`);
    if (value !== undefined && !sameValue(value, present)) {
      usage(`override "${text}": the value of "${key}" is ${inShort(JSON.stringify(present))}`);
    }
    removeAt(tree, path);
    return;
  }
  if (kind === "add" && present !== undefined && present !== null && typeof value !== "object") {
    usage(`override "${text}": "${key}" has a value already; write ${key}=… or ++${key}=…`);
  }
  if (kind === "change" && present === undefined && belowNewName(tree, path)) {
    usage(`${unknownKey(key, tree)} To add a new name, write +${text}`);
  }
  putAt(tree, path, value!);
}

/** Whether the path goes through a name that an open map of the schema does not have yet. */
function belowNewName(tree: Tree, path: string[]): boolean {
  return path.some((_, index) => {
    const parent = schemaAt(ConfigSchema, path.slice(0, index));
    return parent !== undefined && isOpenMap(parent) && valueAt(tree, path.slice(0, index + 1)) === undefined;
  });
}

/**
 * Composes the configuration from `configs/` and the user's overrides, in Hydra's syntax: `key=value`,
 * `group=option`, `+new.key=value`, `++key=value`, `~key`. Keys that no file gives have the schema's defaults.
 * Throws a usage `EntailError` that names the key, file or override.
 */
export const composeConfig = (overrides: string[], options: ComposeOptions = {}): Config =>
  checkedConfig(composeTree(overrides, options));

/** The same before it is checked, its interpolations as they are written. */
export function composeTree(overrides: string[], { configDir, configName }: ComposeOptions = {}): Tree {
  const sources = openSources(configDir);
  const parsed = overrides.map(parseOverride);
  const ofGroups = parsed.filter(({ key }) => isGroup(sources, key));
  const tree = composeDefaults(sources, ofGroups, configName);
  for (const override of parsed) {
    if (!ofGroups.includes(override)) applyOverride(tree, override, sources);
  }
  return fillDefaults(ConfigSchema, tree);
}

/** Where a configuration comes from: the folders that are searched, the first one first, and the files, in order. */
export function configSources(
  overrides: string[],
  { configDir, configName }: ComposeOptions = {},
): { folders: string[]; files: { file: string; package: string; parent: string | null }[] } {
  const sources = openSources(configDir);
  const ofGroups = overrides.map(parseOverride).filter(({ key }) => isGroup(sources, key));
  const files = configParts(sources, ofGroups, configName).map(({ file, place, parent }) => ({
    file: file.name,
    package: place,
    parent: parent?.name ?? null,
  }));
  return { folders: sources.folders.map(({ path }) => path), files };
}

/**
 * Reads a configuration that a run wrote (`<output_dir>/config.yaml`). Throws a data `EntailError` that names the
 * file when it is missing, is not YAML or is not a configuration.
 */
export function loadConfigFile(path: string): Config {
  return parseConfigText(readConfigText(path, path, "data"), path);
}

/** A configuration from the YAML that `printConfig` writes. Data errors name the text by `name`. */
export function parseConfigText(text: string, name: string): Config {
  return checkedConfig(parseYamlTree(text, name, "data"), "data", name);
}

/** The same for a text that another version may have written: keys that this one does not have are left out. */
export function parseOldConfigText(text: string, name: string): Config {
  const tree = parseYamlTree(text, name, "data");
  for (const [key] of leavesOf(tree)) {
    const path = splitKey(tree, key);
    const unknown = path.findIndex((_, end) => schemaAt(ConfigSchema, path.slice(0, end + 1)) === undefined);
    if (unknown >= 0) removeAt(tree, path.slice(0, unknown + 1));
  }
  return checkedConfig(tree, "data", name);
}

/** YAML numbers that YAML 1.1 readers (PyYAML) also take for numbers: `1.0e-7`, where JavaScript prints `1e-7`. */
const PORTABLE_NUMBER = {
  tag: "tag:yaml.org,2002:float",
  default: true,
  identify: (value: unknown) => typeof value === "number" && /^-?\d+e/.test(`${value}`),
  test: /^[-+]?\d+\.\d+[eE][-+]?\d+$/,
  resolve: Number,
  stringify: ({ value }: { value?: unknown }) => `${value}`.replace("e", ".0e"),
};

/**
 * The resolved configuration as YAML, in the schema's order; `loadConfigFile` reads it back unchanged, but for the user
 * and the password of addresses, which nothing that is kept may hold.
 */
export const printConfig = (config: Config): string => yamlOf(printedTree(config, withoutCredentials));

export interface ShowOptions {
  /** What `composeTree` gave: its interpolations are shown as they are written. */
  written?: Tree;
  /** A dotted key; only what is below it is shown. */
  package?: string;
}

/** The configuration as Hydra's `--cfg job` shows it, with `***` for passwords. */
export function showConfig(config: Config, { written, package: place = "_global_" }: ShowOptions = {}): string {
  const resolved = printedTree(config, withoutPasswords);
  const tree = (written ? withWritten(resolved, mapTexts(written, withoutPasswords)) : resolved) as Tree;
  if (place === "_global_") return yamlOf(tree);
  const path = splitKey(resolved, place);
  const part = valueAt(resolved, path);
  if (part === undefined) usage(`--package ${inShort(place)}: ${unknownKey(place, resolved)}`);
  // As in Hydra, a single value is shown as it is read.
  if (typeof part !== "object" || part === null) return yamlOf(part);
  return `# @package ${place}\n${yamlOf(valueAt(tree, path) ?? part)}`;
}

/** The tree with those texts as they are written that hold an interpolation. */
function withWritten(value: Value, written: Value | undefined): Value {
  if (typeof written === "string") return /(^|[^\\])\$\{/.test(written) ? written : value;
  if (Array.isArray(value) && Array.isArray(written)) return value.map((item, i) => withWritten(item, written[i]));
  if (!isTree(value) || !isTree(written)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, child]) => [name, withWritten(child, written[name])]));
}

function printedTree(config: Config, kept: (text: string) => string): Tree {
  const tree = withoutInterpolation(mapTexts(config as unknown as Tree, kept)) as Tree;
  // What a parameter does not use (a categorical one has no bounds) is left out.
  for (const parameter of Object.values(valueAt(tree, ["hpo", "search_space"]) as Record<string, Tree>)) {
    for (const [field, value] of Object.entries(parameter)) {
      if (value === null || (field === "log" && value === false)) delete parameter[field];
    }
  }
  return tree;
}

const yamlOf = (value: Value): string =>
  stringify(value, {
    lineWidth: 0,
    aliasDuplicateObjects: false,
    compat: "yaml-1.1",
    customTags: (tags) => [PORTABLE_NUMBER, ...tags],
  });

/** A copy of the configuration with one key changed, checked again. */
export const setByPath = (config: Config, key: string, value: Value): Config => setAll(config, [[key, value]]);

/**
 * A copy of the configuration with these keys changed, in order, and checked once they all are: how sampled
 * hyper-parameters reach a trial. Interpolations are resolved already, so other keys keep their values.
 */
export function setAll(config: Config, values: readonly (readonly [key: string, value: Value])[]): Config {
  const tree = withoutInterpolation(config as unknown as Tree) as Tree;
  for (const [key, value] of values) {
    const path = splitKey(tree, key);
    if (schemaAt(ConfigSchema, path) === undefined) usage(unknownKey(key, tree));
    putAt(tree, path, withoutInterpolation(value));
  }
  return checkedConfig(tree);
}

/** Every setting of a configuration by its dotted key, in order. */
export const settingsOf = (config: Config): [string, Value][] => leavesOf(config as unknown as Tree);

/** The value of a key; undefined below a group that is null. */
export function getByPath(config: Config, key: string): Value | undefined {
  const tree = config as unknown as Tree;
  return valueAt(tree, splitKey(tree, key));
}

/** The dotted keys whose values differ between two configurations, in the order of the first. */
export function differences(a: Config, b: Config): string[] {
  const left = new Map(settingsOf(a));
  const right = new Map(settingsOf(b));
  return [...new Set([...left.keys(), ...right.keys()])].filter((key) => !sameValue(left.get(key), right.get(key)));
}
