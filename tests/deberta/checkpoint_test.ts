/** Saved folders: what is in them, and that they are read back. */
import assert from "node:assert/strict";
import { loadWeights, readMarker, readModelConfig, saveModel } from "../../src/deberta/checkpoint.ts";
import { debertaParameters } from "../../src/deberta/parameters.ts";
import { createParameterStore } from "../../src/nn/parameters.ts";
import { gpuTest } from "../support/gpu.ts";
import { inTemporaryFolder, TEXT_MODEL } from "../support/run_data.ts";

gpuTest(
  "saveModel: records what it is given in the header of model.safetensors",
  (gpu) =>
    inTemporaryFolder(async (folder) => {
      const config = await readModelConfig(TEXT_MODEL);
      const parameters = await createParameterStore(gpu, debertaParameters(config), { moments: false });
      await loadWeights(parameters, config, TEXT_MODEL);
      await saveModel(parameters, config, TEXT_MODEL, folder, { run: "abc", fold: "0" });
      assert.deepEqual(await readMarker(folder), { format: "pt", run: "abc", fold: "0" });
      await saveModel(parameters, config, TEXT_MODEL, folder);
      assert.deepEqual(await readMarker(folder), { format: "pt" });
      parameters.release();
    }),
);
