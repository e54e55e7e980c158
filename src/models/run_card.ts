/** What a model card says of the run that the model comes from: for the hub, and for people. */
import { parse, stringify } from "../packages/yaml.ts";

export interface RunFacts {
  /** What the run is called. */
  name: string;
  fold: number;
  /** The data's name, and its SHA-256. */
  data: { name: string; digest: string };
  /** `type` is the hub's word for it. The bounds of the interval are null where the data give none. */
  metrics: { type: string; name: string; value: number; interval: readonly [number, number] | null }[];
  level: number;
  /** SHA-256 by what was read. */
  content: Readonly<Record<string, string>>;
  /** The settings that are not the program's own. */
  settings: Readonly<Record<string, unknown>>;
  program: string;
}

/**
 * A model card with the run's facts: metrics in the metadata as the hub's `model-index` has them, and a section of digests
 * and settings. A card that has them already is left as it is.
 */
export function withRun(card: string, facts: RunFacts): string {
  const [, front, body] = /^---\n([^]*?)\n---\n([^]*)$/.exec(card)!;
  const metadata = parse(front);
  if ("model-index" in metadata) return card;
  const lines = stringify({ ...metadata, "model-index": [modelIndex(facts)] }, { indentSeq: false, lineWidth: 0 });
  return `---\n${lines}---\n${body.trimEnd()}\n\n${section(facts)}\n`;
}

function modelIndex({ name, fold, data, metrics, level }: RunFacts) {
  return {
    name,
    results: [{
      task: { type: "text-classification", name: "Text classification" },
      dataset: { type: data.name, name: data.name, split: `validation of fold ${fold}`, revision: data.digest },
      metrics: metrics.map(({ type, name, value, interval }) => ({
        type,
        value: rounded(value),
        name,
        ...(interval && { args: { level, low: rounded(interval[0]), high: rounded(interval[1]) } }),
      })),
    }],
  };
}

const rounded = (value: number): number => Number(value.toFixed(4));

const cell = (text: string): string => text.replaceAll(/\s+/g, " ").replaceAll("|", "\\|");

function section({ fold, metrics, level, content, settings, program }: RunFacts): string {
  const intervals = metrics.map(({ name, value, interval }) => {
    const bounds = interval ? interval.map((bound) => bound.toFixed(4)).join(" to ") : "–";
    return `| ${name} | ${value.toFixed(4)} | ${bounds} |`;
  });
  return `## Training

Fold ${fold}, by ${program}. Intervals of ${level * 100} % are by bootstrap over the posts of the fold.

| Metric | Value | Interval |
| --- | --- | --- |
${intervals.join("\n")}

What was read, by SHA-256:

| Content | Digest |
| --- | --- |
${Object.entries(content).map(([name, digest]) => `| \`${name}\` | \`${digest}\` |`).join("\n")}

Settings that are not entail's own:

| Key | Value |
| --- | --- |
${Object.entries(settings).map(([key, value]) => `| \`${key}\` | ${cell(JSON.stringify(value))} |`).join("\n")}`;
}
