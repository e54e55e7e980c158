/** Errors of the operating system that no command has turned into a line about a file of its own. */
import { EntailError, type ErrorKind } from "../errors.ts";
import { systemCode } from "../formats/system_error.ts";

/** Operations that write, as Deno and Node call them. What is refused there is a place that the user chose. */
const WRITING =
  /^(mkdir|make_temp|writefile|write|rename|remove|rmdir|unlink|copy|copyfile|link|symlink|f?truncate|f?chmod)\b/;

/** Whether whoever read the output has closed it: it has what it wanted. */
export const isClosedPipe = (error: unknown): boolean => systemCode(error) === "EPIPE";

/** The line and kind for an error of the system; undefined for any other. */
export function systemError(error: unknown): EntailError | undefined {
  const code = systemCode(error);
  // A file that has been closed is a mistake of the program.
  if (code === undefined || code === "EBADF") return undefined;
  const { message } = error as Error;
  const [, said, operation = ""] = /^(?:E[A-Z0-9]+: )?(.*?)(?: \(os error \d+\))?(?:[:,] (\w+ '.*))?$/s.exec(message)!;
  const reason = said.replace(/^./, (letter) => letter.toLowerCase());
  const paths = [...operation.matchAll(/'([^']*)'/g)].map(([, path]) => path).join(" -> ");
  const named = (text: string) => paths === "" ? text : `${paths}: ${text}`;
  const fault = (kind: ErrorKind, line: string) => new EntailError(kind, line, { cause: error });
  if (code === "ENOSPC" || code === "EDQUOT") return fault("data", named(reason));
  if (code === "ENOENT" && !hasWorkingFolder()) {
    return fault("usage", "the current folder is gone; change to one that is there");
  }
  return WRITING.test(operation)
    ? fault("usage", named(`cannot be written (${reason})`))
    : fault("data", named(reason));
}

function hasWorkingFolder(): boolean {
  try {
    Deno.cwd();
    return true;
  } catch {
    return false;
  }
}
