/** Ctrl-C and SIGTERM: the first asks the command to save and stop, the second ends the process at once. */
let controller: AbortController | undefined;

/** Aborted by the first SIGINT or SIGTERM. */
export function interruptSignal(): AbortSignal {
  if (controller) return controller.signal;
  controller = new AbortController();
  const { signal } = controller;
  const onSignal = () => {
    if (signal.aborted) Deno.exit(130);
    console.error("\ninterrupted: saving, press Ctrl-C again to stop at once …");
    controller!.abort();
  };
  for (const name of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(name, onSignal);
  return signal;
}
