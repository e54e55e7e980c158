/**
 * Text as Python writes and reads it: Optuna's databases hold JSON from `json.dumps`, where floats are printed by
 * `repr` (`1e-06`, `0.0`), non-ASCII is escaped, and `NaN`, `Infinity` and `-Infinity` may appear bare.
 */

import { EntailError } from "../errors.ts";

/** A JSON value; numbers may be NaN or infinite, as Python's `json` allows. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** `repr(float)`: shortest digits that read back equal, an exponent below 1e-4 and from 1e16 on, always a point or exponent. */
export function pythonFloat(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (value === Infinity) return "Infinity";
  if (value === -Infinity) return "-Infinity";
  const [mantissa, exponentText] = value.toExponential().split("e");
  const exponent = Number(exponentText);
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const digits = mantissa.replace("-", "").replace(".", "");
  if (exponent < -4 || exponent >= 16) {
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : "";
    return `${sign}${digits[0]}${fraction}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  return `${sign}${whole}.${digits.slice(exponent + 1) || "0"}`;
}

/**
 * `json.dumps(value)` with Python's default separators. A whole number is written without a point, like a Python int; keys
 * without a value are left out, as in `JSON.stringify`. Usage error for what JSON cannot hold.
 */
export function pythonJson(value: JsonValue): string {
  if (value === null) return "null";
  if (typeof value === "boolean") return value ? "true" : "false";
  if (typeof value === "string") return pythonString(value);
  if (typeof value === "number") return Number.isSafeInteger(value) ? String(value) : pythonFloat(value);
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(", ")}]`;
  if (typeof value !== "object" || ![Object.prototype, null].includes(Object.getPrototypeOf(value))) {
    throw new EntailError("usage", `${String(value)} is not a JSON value`);
  }
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return `{${entries.map(([key, item]) => `${pythonString(key)}: ${pythonJson(item)}`).join(", ")}}`;
}

/** A JSON string literal with everything beyond ASCII as `\uXXXX`. */
export function pythonString(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (unit) => unit === "\u007f" ? unit : `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Reads JSON that may hold bare `NaN`, `Infinity` and `-Infinity`. Throws SyntaxError on anything else that is not JSON. */
export function parsePythonJson(text: string): JsonValue {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!/NaN|Infinity/.test(text)) throw error;
    const mark = "\ue000";
    const marked = text.replace(/"(?:[^"\\]|\\.)*"|-?Infinity|NaN/g, (token) => {
      return token.startsWith('"') ? token : `"${mark}${token}"`;
    });
    return JSON.parse(marked, (_key, item) => {
      return typeof item === "string" && item.startsWith(mark) ? Number(item.slice(1)) : item;
    });
  }
}
