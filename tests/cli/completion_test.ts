/** `completion`: what bash offers, in bash; the other shells' scripts name the same. */
import assert from "node:assert/strict";
import { entail, failure } from "../support/command_line.ts";

const script = async (shell: string): Promise<string> => (await entail(["completion", shell])).stdout;

/** What bash would offer for the last of the words. */
async function offers(bash: string, lines: readonly (readonly string[])[]): Promise<string[][]> {
  const quote = (word: string) => `'${word}'`;
  const asked = lines.map((words) =>
    `COMP_WORDS=(${words.map(quote).join(" ")}); COMP_CWORD=${words.length - 1}; _entail; echo "\${COMPREPLY[*]}"`
  );
  const { stdout } = await new Deno.Command("bash", { args: ["--norc", "-c", [bash, ...asked].join("\n")] }).output();
  return new TextDecoder().decode(stdout).trimEnd().split("\n").map((line) => line === "" ? [] : line.split(" "));
}

Deno.test("completion bash: commands, options, keys, groups and values", async () => {
  const cases: [string[], string[]][] = [
    [["entail", "tra"], ["train"]],
    [["./entail", "train", "training.lea"], ["training.learning_rate="]],
    [["entail", "train", "--fold", "0", "kfold.n"], ["kfold.n_splits="]],
    [["entail", "hpo", "--n-t"], ["--n-trials"]],
    [["entail", "train", "--cfg", ""], ["job"]],
    // As bash parts words, and as one.
    [["entail", "train", "model.loss_type", "=", "fo"], ["focal"]],
    [["entail", "train", "model.loss_type=fo"], ["model.loss_type=focal"]],
    [["entail", "train", "gpu.allow_software", "="], ["true", "false"]],
    [["entail", "train", "gpu.power_preference", "=", "n"], ["null"]],
    [["entail", "eval", "data", "="], ["demo", "redsm5"]],
    [["entail", "train", "+resume=a"], ["+resume=auto"]],
    [["entail", "help", "comp"], ["compare", "compile", "completion"]],
    [["entail", "completion", "z"], ["zsh"]],
    // Files, which are bash's own.
    [["entail", "predict", "--checkpoint", ""], []],
    [["entail", "test", ""], []],
  ];
  const found = await offers(await script("bash"), cases.map(([words]) => words));
  cases.forEach(([words, expected], i) => assert.deepEqual(found[i] ?? [], expected, words.join(" ")));
});

Deno.test("completion: every shell is offered every command and key; another shell is a mistake", async () => {
  const scripts = await Promise.all(["bash", "zsh", "fish"].map(script));
  for (const text of scripts) {
    for (
      const word of ["train", "predict", "training.learning_rate=", "cosine_with_restarts", "bge_reranker", "n-trials"]
    ) {
      assert.ok(text.includes(word), word);
    }
  }
  const [code, line] = await failure(["completion", "tcsh"]);
  assert.equal(code, 2);
  assert.match(line, /bash, zsh, fish/);
});
