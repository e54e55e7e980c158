/**
 * The one visible step between a kernel file and the shader that is compiled. WGSL has neither includes nor compile-time
 * loops, and drivers do not unroll loops that naga has bounded, so kernels say what they want unrolled:
 *
 *     //#include "lib/philox.wgsl"          //#include "lib/stage.wgsl" FROM="a" STEP=K/4
 *     //#for I in 0..ROWS      … ${I} … ${I * 4 + 1} …      //#end
 *     //#if HAS_bias && CORE == "tiles"      …      //#else      …      //#end
 *     //#tensor x read COLUMNS
 *     //#requires subgroups
 *
 * Names in ranges, conditions and `${…}` are loop variables, arguments of the include and the constants the kernel is
 * specialised with; HAS_x says whether a tensor is bound to x, TYPE_x of which type its elements are. `//#tensor` stands
 * for kernels/lib/tensor.wgsl: the variable x and the functions that read and write it by rows of COLUMNS elements, four
 * at a time, whatever their type. What a file with `//#once` in it declares is there once, however often it is included.
 * `//#requires` enables an extension of WGSL, at the top of the shader, where the compiler wants that said.
 */
import type { DType } from "./dtype.ts";

export type Constants = Readonly<Record<string, number | string>>;

/** What a template is expanded with. */
export interface TemplateInput {
  constants?: Constants;
  /** Types of the tensors that are bound, by variable. */
  types?: Readonly<Record<string, DType>>;
  /** See `Backend.knownExtensions`. */
  knownExtensions?: readonly string[];
  /** The text of a file below `kernels/`. */
  read(path: string): string;
}

export interface Expansion {
  code: string;
  /** File and line below `kernels/` that each line of `code` comes from, e.g. "lib/gelu.wgsl:12". */
  origins: string[];
}

/** Bindings of `//#tensor` count from here; a file numbers those it declares itself below. */
const FIRST_TENSOR = 64;

/** Expressions whose names have their values, with what they come to: a few recur by the thousand. */
const evaluated = new Map<string, number | string>();

/** Expands a file below `kernels/`. Throws `SyntaxError` with file and line. */
export function expandTemplate(
  file: string,
  { constants = {}, types = {}, knownExtensions = [], read }: TemplateInput,
): Expansion {
  const output: string[] = [];
  const origins: string[] = [];
  const once = new Set<string>();
  const required = new Map<string, string>();
  let tensors = 0;
  expandFile(file, constants, true);
  const enabled = [...required].filter(([extension]) => !knownExtensions.includes(extension));
  return {
    code: [...enabled.map(([extension]) => `enable ${extension};`), ...output].join("\n"),
    origins: [...enabled.map(([_, origin]) => origin), ...origins],
  };

  function expandFile(path: string, names: Constants, emit: boolean): void {
    const lines = read(path).split("\n");
    if (lines.some((line) => line.trim() === "//#once")) {
      if (once.has(path)) return;
      if (emit) once.add(path);
    }
    const end = expandBlock(0, names, emit);
    if (end < lines.length) fail(end, "#else or #end without a beginning");

    /** Emits lines from `start` to the matching #else/#end (returned) or the end of the file. */
    function expandBlock(start: number, names: Constants, emit: boolean): number {
      let at = start;
      while (at < lines.length) {
        const directive = /^\s*\/\/#(include|tensor|requires|once|for|if|else|end)\b\s*(.*?)\s*$/.exec(lines[at]);
        const [, word, rest] = directive ?? [];
        if (word === "else" || word === "end") return at;
        if (word === "for") {
          at = expandFor(at, rest, names, emit);
        } else if (word === "if") {
          at = expandIf(at, rest, names, emit);
        } else {
          if (emit) expandLine(at, word, rest, names);
          at++;
        }
      }
      return at;
    }

    function expandLine(at: number, word: string | undefined, rest: string, names: Constants): void {
      if (word === "include") {
        const [, path, args] = /^"([^"]+)"(.*)$/.exec(rest) ?? fail(at, 'expected #include "file" NAME=value …');
        const given = [...args.matchAll(/(\w+)=("[^"]*"|\S+)/g)].map(([, name, value]) => [
          name,
          evaluate(value, names, at),
        ]);
        expandFile(path, { ...names, ...Object.fromEntries(given) }, true);
      } else if (word === "tensor") {
        expandTensor(at, rest, names);
      } else if (word === "requires") {
        if (!/^\w+$/.test(rest)) fail(at, "expected #requires EXTENSION");
        if (!required.has(rest)) required.set(rest, `${path}:${at + 1}`);
      } else if (word === undefined) {
        output.push(filledIn(lines[at], names, at));
        origins.push(`${path}:${at + 1}`);
      }
    }

    function filledIn(text: string, names: Constants, at: number): string {
      return text.replace(/\$\{([^}]*)\}/g, (_, expression) => String(evaluate(expression, names, at)));
    }

    function expandTensor(at: number, rest: string, names: Constants): void {
      const [, name, access, width, , elements] =
        /^(\w+) (read|write|update|words|update_words|uniform) ((?:(?! in ).)+)( in (.+))?$/.exec(
          filledIn(rest, names, at),
        ) ??
          fail(
            at,
            "expected #tensor NAME read|write|update|words|update_words WIDTH, or #tensor NAME uniform WIDTH in ELEMENTS",
          );
      expandFile("lib/tensor.wgsl", {
        NAME: name,
        ACCESS: access,
        WIDTH: evaluate(width, names, at),
        ELEMENTS: elements ? evaluate(elements, names, at) : 0,
        TYPE: types[name] ?? "f32",
        BINDING: FIRST_TENSOR + tensors++,
      }, true);
    }

    function expandFor(at: number, rest: string, names: Constants, emit: boolean): number {
      const [, name, from, to] = /^(\w+) in (.+?)\.\.(.+)$/.exec(rest) ?? fail(at, `expected "#for NAME in FROM..TO"`);
      const first = emit ? Number(evaluate(from, names, at)) : 0;
      const last = emit ? Number(evaluate(to, names, at)) : 0;
      let end = expandBlock(at + 1, { ...names, [name]: first }, emit && first < last);
      for (let value = first + 1; value < last; value++) end = expandBlock(at + 1, { ...names, [name]: value }, emit);
      return closing(end);
    }

    function expandIf(at: number, condition: string, names: Constants, emit: boolean): number {
      const holds = emit && Boolean(evaluate(condition, names, at));
      let end = expandBlock(at + 1, names, holds);
      if (lines[end]?.includes("//#else")) end = expandBlock(end + 1, names, emit && !holds);
      return closing(end);
    }

    function closing(at: number): number {
      if (at >= lines.length || !lines[at].includes("//#end")) fail(Math.min(at, lines.length - 1), "missing #end");
      return at + 1;
    }

    function evaluate(text: string, names: Constants, at: number): number | string {
      if (text in names) return names[text];
      const value = (name: string): number | string => {
        if (name in names) return names[name];
        if (name.startsWith("HAS_")) return name.slice(4) in types ? 1 : 0;
        if (name.startsWith("TYPE_")) return types[name.slice(5)] ?? "f32";
        return fail(at, `unknown constant ${name}`);
      };
      const closed = text.replace(
        /"[^"]*"|[A-Za-z_]\w*/g,
        (word) => word.startsWith('"') ? word : `(${JSON.stringify(value(word))})`,
      );
      const known = evaluated.get(closed);
      if (known !== undefined) return known;
      if (!/^[\d\s.eE+\-*/%()<>=!&|?:]*$/.test(closed.replace(/"[^"]*"/g, "0"))) fail(at, `not an expression: ${text}`);
      const result = new Function(`return (${closed})`)();
      const number = typeof result === "boolean" ? Number(result) : result;
      evaluated.set(closed, number);
      return number;
    }

    function fail(at: number, message: string): never {
      throw new SyntaxError(`kernels/${path}:${at + 1}: ${message}: ${lines[at]?.trim()}`);
    }
  }
}
