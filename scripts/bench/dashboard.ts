/**
 * The live page over a study of many trials, beside optuna-dashboard on the same database: how long a browser takes to
 * paint something and to show the study's trials, and what the servers take for it. Both are begun anew for every round.
 *
 *     deno run -A scripts/bench/dashboard.ts [--optuna-dashboard PROGRAM] [trials=5000] [rounds=3]
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import Table from "cli-table3";
import { openStorage } from "../../src/studies/open_storage.ts";
import { openBrowser } from "../../tests/support/browser.ts";
import { sample } from "./watched.ts";

const { values: { "optuna-dashboard": peer }, positionals: [trials = "5000", rounds = "3"] } = parseArgs({
  options: { "optuna-dashboard": { type: "string" } },
  allowPositionals: true,
});

const NAME = "many";
const folder = Deno.makeTempDirSync({ prefix: "entail-bench-" });
const url = `sqlite:///${join(folder, "study.db")}`;

/** Eight parameters and twenty reports; each third trial was pruned half-way. */
async function writeStudy(): Promise<void> {
  const storage = await openStorage(url);
  const { studyId } = (await storage.createStudy(NAME, ["maximize"]))!;
  for (let i = 0; i < Number(trials); i++) {
    const quality = Math.abs(Math.sin(i * 12.9898) * 43758.5453 % 1);
    const state = i % 3 === 0 ? "PRUNED" : "COMPLETE";
    const steps = state === "PRUNED" ? 10 : 20;
    const reports = Array.from({ length: steps }, (_, k): [number, number] => [k + 1, quality * (1 - 0.8 ** (k + 1))]);
    await storage.createTrial(studyId, {
      state,
      values: [reports.at(-1)![1]],
      params: Array.from({ length: 8 }, (_, k) => ({
        name: `parameter_${k}`,
        internal: Math.abs(Math.sin(i * 78.233 + k) * 12543.123 % 1),
        distribution: { kind: "float", low: 0, high: 1, log: false, step: null },
      })),
      intermediateValues: reports,
      userAttrs: { precision: quality, recall: quality },
      datetimeStart: new Date(2026, 0, 1, 0, 0, i),
      datetimeComplete: new Date(2026, 0, 1, 0, 1, i),
    });
  }
  await storage.close();
}

interface Server {
  name: string;
  command: (port: number) => [program: string, args: string[]];
  /** The page of the study. */
  path: string;
  /** True in the page when its trials are to be seen. */
  shown: string;
}

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));

const servers: Server[] = [
  {
    name: "entail dashboard",
    command: (port) => [
      Deno.execPath(),
      [
        "run",
        "-A",
        "--no-check",
        "--quiet",
        "--config",
        CONFIG,
        MAIN,
        "dashboard",
        "--quiet",
        "--port",
        `${port}`,
        url,
      ],
    ],
    path: `/#/study/0/${NAME}`,
    shown:
      "document.querySelectorAll('canvas').length >= 2 && document.querySelectorAll('.trials tbody tr').length > 40",
  },
  ...peer === undefined ? [] : [{
    name: "optuna-dashboard",
    command: (port: number): [string, string[]] => [peer, ["--port", `${port}`, url]],
    path: "/dashboard/studies/1",
    shown:
      "document.querySelector('.js-plotly-plot .scatterlayer .trace, .js-plotly-plot canvas, .js-plotly-plot .gl-container')" +
      " !== null",
  }],
];

interface Measured {
  /** From the page being asked for, in seconds. */
  paint: number;
  shown: number;
  megabytes: number;
  cpuSeconds: number;
}

async function freePort(): Promise<number> {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr;
  listener.close();
  return await Promise.resolve(port);
}

async function measure({ command, path, shown }: Server): Promise<Measured> {
  const port = await freePort();
  const [program, args] = command(port);
  const child = new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
  const browser = await openBrowser();
  try {
    const base = `http://127.0.0.1:${port}`;
    while (!await fetch(base).then((response) => response.text().then(() => true), () => false)) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const page = await browser.newPage();
    await page.look({});
    const began = performance.now();
    await page.open(base + path);
    await page.until(shown, 120);
    const until = (performance.now() - began) / 1000;
    const paint = await page.read<number>("performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000");
    const { cpuSeconds, peakBytes } = sample(child.pid)!;
    return { paint, shown: until, megabytes: peakBytes / 2 ** 20, cpuSeconds };
  } finally {
    await browser.close();
    child.kill("SIGINT");
    await child.status;
  }
}

try {
  await writeStudy();
  const measured = new Map(servers.map(({ name }) => [name, [] as Measured[]]));
  for (let round = 0; round < Number(rounds); round++) {
    for (const server of servers) measured.get(server.name)!.push(await measure(server));
  }
  const table = new Table({
    head: [`${trials} trials`, "first paint", "trials shown", "server's memory", "its processor time"],
  });
  for (const [name, all] of measured) {
    const median = (of: (each: Measured) => number) => all.map(of).sort((a, b) => a - b)[all.length >> 1];
    table.push([
      name,
      `${median(({ paint }) => paint).toFixed(2)} s`,
      `${median(({ shown }) => shown).toFixed(2)} s`,
      `${median(({ megabytes }) => megabytes).toFixed(0)} MiB`,
      `${median(({ cpuSeconds }) => cpuSeconds).toFixed(2)} s`,
    ]);
  }
  console.log(table.toString());
} finally {
  await Deno.remove(folder, { recursive: true });
}
