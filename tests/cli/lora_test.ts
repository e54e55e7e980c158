/** Adapters as a user trains, evaluates and uses them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { modelOfHub } from "../../src/hub/model_folder.ts";
import { parseModelId } from "../../src/hub/model_id.ts";
import { hubSettings } from "../../src/hub/settings.ts";
import { assertClose } from "../support/close.ts";
import { entail, errorLine } from "../support/command_line.ts";
import { filesOf, serveHub } from "../support/hub_server.ts";
import { inTemporaryFolder, TEXT_MODEL, writeRunData } from "../support/run_data.ts";

const PAIR = JSON.stringify({ post: "I never sleep.", criterion: "Insomnia." });
const predict = (checkpoint: string) => ["predict", "--checkpoint", checkpoint, "--input", "-", "--output", "-"];

/** Puts a repository into the cache of `home`, as an earlier command would have. */
async function download(repo: string, files: Record<string, Uint8Array>, home: string): Promise<string[]> {
  const server = serveHub(repo, { files });
  const env: Record<string, string> = { HF_HOME: home, HF_ENDPOINT: server.endpoint };
  try {
    const folder = await modelOfHub(parseModelId(repo)!, hubSettings((name) => env[name]));
    return Object.keys(filesOf(folder));
  } finally {
    await server.close();
  }
}

Deno.test("train, eval and predict: adapters, saved apart from a model of the hub", () =>
  inTemporaryFolder(async (folder) => {
    const home = join(folder, "home");
    const env = { HF_HOME: home, HF_HUB_OFFLINE: "1" };
    const { "expected.json": _, "heads.json": __, ...base } = filesOf(TEXT_MODEL);
    await download("org/base", base, home);
    const run = join(folder, "run");
    const trained = await entail(
      [
        ...["train", "--fold", "0", ...writeRunData(folder), "model.model_name=org/base", "training.max_steps=2"],
        ...["model.lora.r=4", "model.lora.bits=8bit", "model.lora.save=adapter", "training.learning_rate=1e-2"],
      ],
      undefined,
      env,
    );
    assert.equal(trained.code, 0, trained.stderr);
    const best = join(run, "checkpoints/fold_0/best");
    const settings = JSON.parse(Deno.readTextFileSync(join(best, "adapter_config.json")));
    assert.equal(settings.base_model_name_or_path, "org/base");
    assert.match(Deno.readTextFileSync(join(best, "README.md")), /library_name: peft[^]*base_model: org\/base/);

    const again = await entail(["eval", "--fold", "0", `output_dir=${run}`, "--json"], undefined, env);
    assert.equal(again.code, 0, again.stderr);
    const summary = JSON.parse(Deno.readTextFileSync(join(run, "summary.json")));
    assert.deepEqual(JSON.parse(again.stdout).folds[0].metrics.f1, summary.folds[0].metrics.f1);

    // As peft itself would have published it: without tokenizer and the description of the model, which are the base's.
    const { "adapter_config.json": config, "adapter_model.safetensors": tensors } = filesOf(best);
    const files = { "adapter_config.json": config, "adapter_model.safetensors": tensors };
    assert.deepEqual(await download("org/adapter", files, home), Object.keys(files));
    const [local, hub] = [await entail(predict(best), PAIR, env), await entail(predict("org/adapter"), PAIR, env)];
    assert.equal(local.code + hub.code, 0, local.stderr + hub.stderr);
    const logits = [local, hub].map(({ stdout }) => JSON.parse(stdout).logits as number[]);
    assertClose(logits[1], logits[0], { atol: 1e-6, rtol: 1e-6 });

    await Deno.remove(join(home, "hub/models--org--base"), { recursive: true });
    const gone = await entail(predict(best), PAIR, env);
    assert.equal(gone.code, 3);
    assert.match(errorLine(gone.stderr), /adapter_config\.json: base_model_name_or_path: org\/base: no such folder/);
    assert.equal(gone.stdout, "");
  }));
