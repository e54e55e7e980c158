/** What tests of the tracker share. */
import { openTracker, type Tracker } from "../../src/tracking/tracker.ts";
import { inTemporaryFolder } from "../support/run_data.ts";
import { type MlflowServer, serveMlflow } from "./mlflow_server.ts";

/** For servers that answer: short pauses, and time enough for a busy machine. */
export const ANSWERING = { firstPauseMs: 10, longestPauseMs: 20, closingMs: 20_000, settleMs: 50 };
/** For a server that never does. */
export const HANGING = { ...ANSWERING, closingMs: 100 };

export function open(uri: string, folder: string, notices: string[] = [], patience = ANSWERING): Promise<Tracker> {
  return openTracker(uri, {
    experimentName: "unit test",
    source: "entail train",
    spoolFolder: folder,
    onNotice: (line) => notices.push(line),
    onLack: (line) => notices.push(line),
    patience,
  });
}

export const steps = (server: MlflowServer, name: string, key: string) =>
  server.runNamed(name).metrics.filter((point) => point.key === key).map(({ step }) => step);

export const until = async (condition: () => boolean) => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
};

export async function withServer(
  test: (server: MlflowServer, folder: string) => Promise<void>,
  options?: Parameters<typeof serveMlflow>[0],
): Promise<void> {
  const server = serveMlflow(options);
  try {
    await inTemporaryFolder((folder) => test(server, folder));
  } finally {
    await server.stop();
  }
}
