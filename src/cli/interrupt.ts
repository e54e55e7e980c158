/** Ctrl-C and SIGTERM: the first asks the command to save and stop, the second ends the process at once. */
import { say } from "./say.ts";

let controller: AbortController | undefined;

/** Aborted by the first SIGINT or SIGTERM. The notice is for commands that have something to save. */
export function interruptSignal(notice = "interrupted: saving, press Ctrl-C again to stop at once …"): AbortSignal {
  if (controller) return controller.signal;
  controller = new AbortController();
  const { signal } = controller;
  const onSignal = () => {
    if (signal.aborted) Deno.exit(130);
    if (notice !== "") say(`\n${notice}`);
    controller!.abort();
  };
  for (const name of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(name, onSignal);
  return signal;
}
