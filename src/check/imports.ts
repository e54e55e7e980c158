/** Which file of the project imports which, as Deno resolves them; imports of types count. */

/** Files below the root by path, each with the files below the root that it imports. */
export type Imports = ReadonlyMap<string, readonly string[]>;

interface ModuleGraph {
  modules: { specifier: string; dependencies?: { code?: Target; type?: Target }[] }[];
}

interface Target {
  specifier?: string;
}

/** The imports of mod.ts and of every TypeScript file below src/. */
export async function projectImports(root: URL): Promise<Imports> {
  const files = [new URL("mod.ts", root), ...sourceFiles(new URL("src/", root))];
  const { modules } = await moduleGraph(root, files);
  const pathOf = (target?: Target) =>
    target?.specifier?.startsWith(root.href) ? target.specifier.slice(root.href.length) : "";
  const isCode = (path: string) => path.endsWith(".ts");
  const imports = new Map<string, readonly string[]>();
  for (const { dependencies = [], ...module } of modules) {
    const targets = dependencies.flatMap(({ code, type }) => [pathOf(code), pathOf(type)]);
    if (isCode(pathOf(module))) imports.set(pathOf(module), [...new Set(targets.filter(isCode))]);
  }
  return imports;
}

/** Every TypeScript file below `folder`, itself ended by a slash. */
export function* sourceFiles(folder: URL): Generator<URL> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) yield* sourceFiles(new URL(`${name}/`, folder));
    else if (name.endsWith(".ts")) yield new URL(name, folder);
  }
}

/** What `deno info` says of a file that imports them all. */
async function moduleGraph(root: URL, files: readonly URL[]): Promise<ModuleGraph> {
  const all = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(all, files.map(({ href }) => `import ${JSON.stringify(href)};\n`).join(""));
    const args = ["info", "--json", "--config", new URL("deno.json", root).pathname, all];
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    if (!success) throw new Error(`deno info: ${new TextDecoder().decode(stderr).trim()}`);
    return JSON.parse(new TextDecoder().decode(stdout));
  } finally {
    await Deno.remove(all);
  }
}
