/** A few posts with labels, as files that `train` reads; the model is the tiny one of the text fixture. */
import { join } from "node:path";
import { composeConfig, type Config } from "../../src/config/config.ts";

export const TEXT_MODEL = decodeURIComponent(new URL("../fixtures/deberta/text", import.meta.url).pathname);

const CRITERIA = [
  { id: "A.1", text: "Depressed mood most of the day, nearly every day." },
  { id: "A.4", text: "Insomnia or sleeping too much, nearly every day." },
];
const SENTENCES = [
  ["I have not slept well for three weeks.", "A.4"],
  ["I feel sad all day, every day.", "A.1"],
  ['We went to the market and bought, well, "apples".', ""],
  ["My brother never sleeps.", ""],
  ["Nothing happened\nat work today.", ""],
];

/** Writes 12 posts × 2 criteria into `folder`; returns the overrides that make a run of two folds out of them. */
export function writeRunData(folder: string): string[] {
  const quote = (text: string) => `"${text.replaceAll('"', '""')}"`;
  const rows = ["post_id,post,DSM5_symptom,groundtruth"];
  for (let i = 0; i < 12; i++) {
    const chosen = [SENTENCES[i % 5], SENTENCES[(i * 3 + 1) % 5]];
    const post = chosen.map(([text]) => text).join(" ");
    for (const { id } of CRITERIA) {
      rows.push(`p${i},${quote(post)},${id},${chosen.some(([, criterion]) => criterion === id) ? 1 : 0}`);
    }
  }
  Deno.writeTextFileSync(join(folder, "groundtruth.csv"), rows.join("\r\n") + "\r\n");
  Deno.writeTextFileSync(join(folder, "criteria.json"), JSON.stringify({ criteria: CRITERIA }));
  return [
    `data.groundtruth_csv=${join(folder, "groundtruth.csv")}`,
    `data.criteria_json=${join(folder, "criteria.json")}`,
    "data.max_length=32",
    `model.model_name=${TEXT_MODEL}`,
    "model.classifier_head=pooler_linear",
    "model.hidden_dropout=0.1",
    "model.attention_dropout=0.1",
    "model.classifier_dropout=0.1",
    "kfold.n_splits=2",
    "training.batch_size=4",
    "training.gradient_accumulation_steps=2",
    "training.num_epochs=3",
    "training.early_stopping_patience=null",
    "training.num_workers=0",
    "mlflow.enable=false",
    `output_dir=${join(folder, "run")}`,
  ];
}

/** Annotations of `writeRunData`'s posts; returns the overrides that augment with synonyms, every word that has one. */
export function writeAnnotations(folder: string): string[] {
  const rows = ["post_id,sentence_id,sentence_text,DSM5_symptom,status,explanation"];
  for (let i = 0; i < 12; i++) {
    for (const place of [i % 5, (i * 3 + 1) % 5]) {
      if (place === 0) rows.push(`p${i},1,I have not slept well for three weeks.,SLEEP_ISSUES,1,x`);
      if (place === 1) rows.push(`p${i},2,"I feel sad all day, every day.",DEPRESSED_MOOD,1,x`);
      if (place === 3) rows.push(`p${i},3,My brother never sleeps.,SLEEP_ISSUES,0,somebody else`);
    }
  }
  Deno.writeTextFileSync(join(folder, "annotations.csv"), rows.join("\n"));
  return [
    `data.annotations_csv=${join(folder, "annotations.csv")}`,
    "augmentation.enable=true",
    "augmentation.prob=1",
  ];
}

/** A configuration over `writeRunData`'s files. */
export const runConfig = (folder: string, ...overrides: string[]): Config =>
  composeConfig([...writeRunData(folder), ...overrides]);

/** A new folder that is removed when the test is over. */
export async function inTemporaryFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "entail-test-" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
