/** Writes the runs that mlflow_check.py reads: `deno run -A mlflow_make.ts <tracking uri> <folder> <status> <steps>`. */
import { join } from "node:path";
import { openTracker } from "../../src/tracking/tracker.ts";

const [uri, folder, status, steps] = Deno.args;
const tracker = await openTracker(uri, {
  experimentName: "check: ä",
  source: "entail train",
  spoolFolder: folder,
  onNotice: (line) => console.error(line),
  onLack: (line) => console.error(line),
});
const parent = tracker.startRun({
  name: "whole",
  id: "0123456789abcdef0123456789abcdef",
  params: { "training.learning_rate": "0.00002", lines: "a\nb", "model.name": "x/y", long: "é".repeat(6000) },
});
const fold = tracker.startRun({
  name: "fold: 0 'yes'",
  id: "f".repeat(32),
  parent,
  tags: { "mlflow.note.content": "n" },
});
for (let step = 1; step <= Number(steps); step++) fold.logMetrics(step, { loss: 1 / step, "eval/f1": step });
fold.logMetrics(Number(steps), { nan: NaN, infinite: Infinity });
Deno.mkdirSync(join(folder, "best"), { recursive: true });
Deno.writeTextFileSync(join(folder, "best/config.json"), "{}");
Deno.writeFileSync(join(folder, "best/model 1.safetensors"), new Uint8Array(3 << 20).fill(7));
fold.logArtifact(join(folder, "best"), "checkpoint");
parent.logDataset(join(folder, "best/config.json"), "0123456789abcdef".repeat(4), "training");
fold.end(status as "FINISHED" | "KILLED");
parent.end(status as "FINISHED" | "KILLED");
await tracker.close();
