/** JSON as it leaves the server. */
import { withoutPasswords } from "../formats/secrets.ts";

/** Without secrets; numbers that JSON has not are the strings "NaN", "Infinity" and "-Infinity". */
export const jsonText = (value: unknown): string =>
  JSON.stringify(value, (_, each) => {
    if (typeof each === "string") return /:\/\/|\?/.test(each) ? withoutPasswords(each) : each;
    return typeof each === "number" && !Number.isFinite(each) ? `${each}` : each;
  });
