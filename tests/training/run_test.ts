import assert from "node:assert/strict";
import { composeConfig } from "../../src/config/config.ts";
import { settingsInVain } from "../../src/training/run.ts";

Deno.test("settingsInVain: names what is asked for and cannot have an effect, and nothing by default", () => {
  assert.deepEqual(settingsInVain(composeConfig([])), []);
  const cases = [
    "training.optimization.use_torch_compile=false",
    "training.optimization.fused_adamw=false",
    "reproducibility.deterministic=false",
    "training.xpost_neg_frac=0.2",
    "training.hard_neg_frac=0.5",
    "model.rank_margin=0.3",
    "model.focal_gamma=1",
    "model.distill_alpha=0.7",
    "data.teacher_scores",
    "model.lora.alpha=8",
    "model.lora.save=adapter",
  ];
  for (const override of cases) {
    const [line, ...more] = settingsInVain(composeConfig([override.includes("=") ? override : `${override}=a.csv`]));
    assert.deepEqual(more, []);
    assert.ok(line.startsWith(override), line);
  }
  const together = [
    ["training.xpost_neg_frac=0.2", "training.neg_per_pos=2"],
    ["training.hard_neg_frac=0.2", "training.neg_per_pos=2", "training.num_epochs=2"],
    ["model.loss_type=margin_mse", "evaluation.threshold_mode=per_class", "data.teacher_scores=a.csv"],
    ["model.rank_margin=0.3", "model.loss_type=bce+rank"],
    ["training.layerwise_lr_decay=0.9", "training.recompute=true"],
    ["model.lora.alpha=8", "model.lora.bits=4bit", "model.lora.r=2"],
    ["model.lora.alpha=8", "+hpo.search_space.r={key: model.lora.r, type: categorical, choices: [8, 16]}"],
  ];
  for (const overrides of together) assert.deepEqual(settingsInVain(composeConfig(overrides)), []);
  const once = settingsInVain(composeConfig(["training.hard_neg_frac=0.2", "training.neg_per_pos=2"]));
  assert.match(once[0], /^training\.hard_neg_frac=0\.2 has no effect in a single epoch/);
  assert.match(settingsInVain(composeConfig(["model.loss_type=margin_mse"]))[0], /threshold_mode=per_class/);
  const keys = ["training.recompute=true", "training.layerwise_lr_decay=0.9"];
  const frozen = settingsInVain(composeConfig([...keys, "model.freeze_backbone=true"]));
  assert.deepEqual(frozen.map((line) => line.split(" ")[0]), keys);
  assert.match(frozen[1], /^training\.layerwise_lr_decay=0\.9 has no effect with model\.freeze_backbone=true$/);
});
