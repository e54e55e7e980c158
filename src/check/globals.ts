/** WebGPU's globals: only one implementation of `Backend` may use them, so that everything else runs on each of them. */
import { sourceFiles } from "./imports.ts";

const ALLOWED = "src/gpu/deno.ts";

/** Their types are everybody's: `typeof GPUMapMode`, `GPUDevice`, a property's name. */
const GLOBAL = new RegExp(
  [
    /\bnavigator\s*\??\.\s*gpu\b/,
    /(?<!typeof |\.)\bGPU(?:BufferUsage|MapMode|ShaderStage|TextureUsage|ColorWrite)\b(?!:)/,
    /\b(?:new|instanceof|extends)\s+GPU\w+/,
  ].map(({ source }) => source).join("|"),
);

/** One line for each line below src/ that uses one. */
export function globalProblems(root: URL): string[] {
  const paths = [...sourceFiles(new URL("src/", root))].map(({ href }) => href.slice(root.href.length)).sort();
  return paths.filter((path) => path !== ALLOWED).flatMap((path) =>
    Deno.readTextFileSync(new URL(path, root)).split("\n").flatMap((line, index) => {
      const global = GLOBAL.exec(line)?.[0];
      return global ? [`${path}:${index + 1}: ${global} is used by ${ALLOWED} alone; ask gpu.backend for it`] : [];
    })
  );
}
