/** Settings as a program gives them: the keys of configs/ in camelCase, each of its type, all of them optional. */
import { EntailError } from "../errors.ts";
import { inShort } from "../formats/human.ts";
import { fixedKeys, hasFixedKeys, isOpenMap, schemaAt } from "./introspection.ts";
import { nearest } from "./nearest.ts";
import { ConfigSchema } from "./schema.ts";
import type { Config } from "./settings.ts";
import { isTree, type Tree, type Value, withoutInterpolation } from "./tree.ts";
import { checkedConfig } from "./validation.ts";

/** `learning_rate` as `learningRate`. */
export type CamelCase<Name extends string> = Name extends `${infer First}_${infer Rest}`
  ? `${First}${Capitalize<CamelCase<Rest>>}`
  : Name;

/** Settings in camelCase, all of them optional; names that are the user's own, as those of a search space, stay. */
export type CamelCaseOptions<Settings> = Settings extends readonly unknown[] ? Settings
  : Settings extends object ? { [Key in keyof Settings as CamelCase<Key & string>]?: CamelCaseOptions<Settings[Key]> }
  : Settings;

/** Every setting of a run: what stands in `Config` and in configs/, in camelCase. */
export type Options = Omit<CamelCaseOptions<Config>, "model"> & {
  /** The settings of the model, or the folder or hub id that it comes from. Without one, from `architecture`. */
  model?: string | CamelCaseOptions<Config["model"]>;
};

const camelCase = (key: string): string => key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

/**
 * The configuration that options make; what they leave out has its default. Usage errors name the option that does not
 * exist, or the key whose value is wrong.
 *
 * @example
 * const config = createConfig({ training: { learningRate: 1e-4, numEpochs: 3 }, hpo: { studyName: "mine" } });
 */
export function createConfig(options: Options = {}): Config {
  const { model, ...rest } = options;
  const ofModel = typeof model === "string" ? { modelName: model } : model;
  const named = ofModel?.architecture && ofModel.modelName === undefined ? { ...ofModel, modelName: null } : ofModel;
  return checkedConfig(withoutInterpolation(toTree({ ...rest, model: named }, [])) as Tree);
}

/** The tree of options with the configuration's own names; what is undefined is left out. */
function toTree(options: Record<string, unknown>, path: string[]): Tree {
  const schema = schemaAt(ConfigSchema, path)!;
  const known = new Map(fixedKeys(schema).map((key) => [camelCase(key), key]));
  const tree: Tree = {};
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const key = isOpenMap(schema) ? name : known.get(name) ?? unknownOption([...path, name], [...known.keys()]);
    const below = schemaAt(ConfigSchema, [...path, key])!;
    const isGroup = isTree(value) && (isOpenMap(below) || hasFixedKeys(below));
    tree[key] = isGroup ? toTree(value, [...path, key]) : value as Value;
  }
  return tree;
}

function unknownOption(path: readonly string[], known: readonly string[]): never {
  const above = path.slice(0, -1).map((name) => `${camelCase(name)}.`).join("");
  const name = path.at(-1)!;
  throw new EntailError(
    "usage",
    `unknown option "${inShort(above + name)}"; did you mean "${above}${nearest(name, [...known])}"?`,
  );
}
