/**
 * The one visible step between a kernel file and the shader that is compiled. WGSL has neither includes nor compile-time
 * loops, and drivers do not unroll loops that naga has bounded, so kernels say what they want unrolled:
 *
 *     //#include "lib/philox.wgsl"
 *     //#for I in 0..ROWS      … ${I} … ${I * 4 + 1} …      //#end
 *     //#if BIAS && COLS % 4 == 0      …      //#else      …      //#end
 *
 * Names in ranges, conditions and `${…}` are loop variables and the constants the kernel is specialised with.
 */
export type Constants = Readonly<Record<string, number>>;

/** Expands `source`; `include` returns the text of a file below `kernels/`. Throws `SyntaxError` with the line. */
export function expandTemplate(source: string, constants: Constants, include: (path: string) => string): string {
  const lines = source.split("\n");
  const output: string[] = [];
  const end = expandBlock(0, constants, true);
  if (end < lines.length) fail(end, "#else or #end without a beginning");
  return output.join("\n");

  /** Emits lines from `start` to the matching #else/#end (returned) or the end of the file. */
  function expandBlock(start: number, names: Constants, emit: boolean): number {
    let at = start;
    while (at < lines.length) {
      const directive = /^\s*\/\/#(include|for|if|else|end)\b\s*(.*?)\s*$/.exec(lines[at]);
      if (!directive) {
        if (emit) output.push(lines[at].replace(/\$\{([^}]*)\}/g, (_, text) => String(evaluate(text, names, at))));
        at++;
        continue;
      }
      const [, word, rest] = directive;
      if (word === "else" || word === "end") return at;
      if (word === "include") {
        if (emit) output.push(expandTemplate(include(rest.replaceAll('"', "")), names, include));
        at++;
      } else if (word === "for") {
        at = expandFor(at, rest, names, emit);
      } else {
        at = expandIf(at, rest, names, emit);
      }
    }
    return at;
  }

  function expandFor(at: number, rest: string, names: Constants, emit: boolean): number {
    const range = /^(\w+) in (.+?)\.\.(.+)$/.exec(rest);
    if (!range) fail(at, `expected "#for NAME in FROM..TO"`);
    const [, name, from, to] = range;
    const first = emit ? evaluate(from, names, at) : 0;
    const last = emit ? evaluate(to, names, at) : 0;
    let end = expandBlock(at + 1, { ...names, [name]: first }, emit && first < last);
    for (let value = first + 1; value < last; value++) end = expandBlock(at + 1, { ...names, [name]: value }, emit);
    return closing(end);
  }

  function expandIf(at: number, condition: string, names: Constants, emit: boolean): number {
    const holds = emit && evaluate(condition, names, at) !== 0;
    let end = expandBlock(at + 1, names, holds);
    if (lines[end]?.includes("//#else")) end = expandBlock(end + 1, names, emit && !holds);
    return closing(end);
  }

  function closing(at: number): number {
    if (at >= lines.length || !lines[at].includes("//#end")) fail(Math.min(at, lines.length - 1), "missing #end");
    return at + 1;
  }

  function evaluate(text: string, names: Constants, at: number): number {
    const numeric = text.replace(/[A-Za-z_]\w*/g, (name) => {
      if (!(name in names)) fail(at, `unknown constant ${name}`);
      return `(${names[name]})`;
    });
    if (!/^[\d\s.eE+\-*/%()<>=!&|?:]+$/.test(numeric)) fail(at, `not an expression: ${text}`);
    return Number(new Function(`return (${numeric})`)());
  }

  function fail(at: number, message: string): never {
    throw new SyntaxError(`line ${at + 1}: ${message}: ${lines[at]?.trim()}`);
  }
}
