import assert from "node:assert/strict";
import { join } from "node:path";
import { entail, errorLine } from "../support/command_line.ts";
import { filesOf, serveHub } from "../support/hub_server.ts";
import { inTemporaryFolder, TEXT_MODEL, writeAnnotations, writeRunData } from "../support/run_data.ts";

Deno.test("train and predict: a model by its hub id, broken off, continued, and again offline", () =>
  inTemporaryFolder(async (folder) => {
    const { "config.json": config, "tokenizer.json": tokenizer, "model.safetensors": weights } = filesOf(TEXT_MODEL);
    const files = { "config.json": config, "tokenizer.json": tokenizer, "model.safetensors": weights };
    const server = serveHub("org/model", { files });
    const env: Record<string, string> = { HF_HOME: join(folder, "home"), HF_ENDPOINT: server.endpoint };
    const train = (id: string, output: string) => [
      "train",
      ...writeRunData(folder),
      `model.model_name=${id}`,
      "training.max_steps=1",
      `output_dir=${join(folder, output)}`,
    ];
    try {
      server.faults = { breakAfter: { "model.safetensors": 65_536 } };
      const broken = await entail(train("org/model@v1", "run"), undefined, env);
      assert.equal(broken.code, 3, broken.stderr);
      assert.match(errorLine(broken.stderr), /^error: org\/model@v1: .* broke off .*run the command again/);
      assert.equal(await Deno.stat(join(folder, "run")).catch(() => null), null);

      server.faults = {};
      server.asked();
      const online = await entail(train("org/model@v1", "run"), undefined, env);
      assert.equal(online.code, 0, online.stderr);
      assert.match(online.stderr, /^downloading org\/model@v1 into .*models--org--model$/m);
      const gets = server.asked().filter((line) => line.startsWith("GET"));
      assert.deepEqual(gets, Array(2).fill("GET model.safetensors from 65536"));

      env.HF_HUB_OFFLINE = "1";
      const offline = await entail(train("org/model@v1", "offline"), undefined, env);
      assert.equal(offline.code, 0, offline.stderr);
      assert.equal(offline.stdout, online.stdout);
      const predictions = (run: string) => Deno.readTextFileSync(join(folder, run, "fold_0/predictions.csv"));
      assert.equal(predictions("offline"), predictions("run"));
      const saved = Deno.readTextFileSync(join(folder, "run/checkpoints/fold_0/best/config.json"));
      assert.equal(JSON.parse(saved)._name_or_path, "org/model");

      const pair = JSON.stringify({ post: "I never sleep.", criterion: "Insomnia." });
      const predict = ["predict", "--checkpoint", "org/model", "--input", "-", "--output", "-"];
      const missing = await entail(predict, pair, env);
      assert.equal(missing.code, 3);
      assert.match(errorLine(missing.stderr), /^error: org\/model: .*no such revision.*HF_HUB_OFFLINE is set/);
      assert.deepEqual(server.asked(), []);
      delete env.HF_HUB_OFFLINE;
      const scored = await entail(predict, pair, env);
      assert.equal(scored.code, 0, scored.stderr);
      assert.equal(JSON.parse(scored.stdout).logits.length, 2);
    } finally {
      await server.close();
    }
  }));

Deno.test("train: contextual augmentation without a named model takes a BERT of the hub, as published, and says so", () =>
  inTemporaryFolder(async (folder) => {
    const bert = decodeURIComponent(new URL("../fixtures/masked_lm/bert", import.meta.url).pathname);
    const { "config.json": config, "vocab.txt": vocabulary, "model.safetensors": weights } = filesOf(bert);
    const files = { "config.json": config, "vocab.txt": vocabulary, "model.safetensors": weights };
    const server = serveHub("google-bert/bert-base-uncased", { files });
    try {
      const overrides = ["data=redsm5", ...writeRunData(folder), ...writeAnnotations(folder)];
      const train = ["train", "--fold", "0", ...overrides, "augmentation.method=contextual", "training.max_steps=1"];
      const env = { HF_HOME: join(folder, "home"), HF_ENDPOINT: server.endpoint };
      const { code, stderr } = await entail(train, undefined, env);
      assert.equal(code, 0, stderr);
      assert.match(stderr, /^downloading google-bert\/bert-base-uncased into /m);
      assert.match(
        stderr,
        /^augmentation: contextual by google-bert\/bert-base-uncased, \d+ pairs, \d+ words with candidates$/m,
      );
    } finally {
      await server.close();
    }
  }));
