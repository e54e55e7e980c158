/** The command line: what each command is called and takes. The work is in the file named after the command. */
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { EntailError, exitStatus } from "../errors.ts";
import { inShort } from "../formats/human.ts";
import { withoutPasswords } from "../formats/secrets.ts";
import { VERSION } from "../version.ts";
import { interruptSignal } from "./interrupt.ts";
import { type CommonOptions, INFO_KINDS, SHELLS } from "./options.ts";
import { say } from "./say.ts";
import { isClosedPipe, systemError } from "./system_error.ts";

const OVERRIDES = "configuration overrides: key=value, group=option, +new.key=value, ~key";

function nonNegativeInteger(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("expected a whole number, 0 or more.");
  return Number(text);
}

function portNumber(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65535) throw new InvalidArgumentError("expected 0 to 65535.");
  return Number(text);
}

function tokenText(text: string): string {
  if (!/^\S+$/.test(text)) throw new InvalidArgumentError("expected a text without spaces.");
  return text;
}

function positiveInteger(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError("expected a whole number, 1 or more.");
  return Number(text);
}

/** Options that a command cannot do without; `--cfg` and `--info` can. */
function requireOptions(options: CommonOptions, names: readonly string[]): void {
  const missing = names.filter((name) => !(name in options));
  if (missing.length === 0 || options.cfg || options.info) return;
  throw new EntailError("usage", `${missing.map((name) => `--${name}`).join(", ")}: missing; see --help`);
}

function buildProgram(): Command {
  const program = new Command("entail")
    .description("Trains DeBERTa cross-encoders on any GPU: does this post give evidence for this criterion?")
    .version(VERSION, "--version", "the version of this program")
    .helpCommand("help [command]", "the help of a command")
    .showSuggestionAfterError()
    .addHelpText(
      "after",
      "\nRun `entail <command> --help` for its options; `entail train --cfg job` shows every configuration key.",
    );

  const command = (name: string, description: string, help = "") =>
    program.command(name).description(description)
      .addHelpText("after", help)
      .option("--quiet", "print results and errors only")
      .option("--debug", "print stack traces")
      .optionsGroup("Configuration (as Hydra's):")
      .addOption(new Option("-c, --cfg <what>", "print the configuration as YAML and stop").choices(["job"]))
      .option("--resolve", "with --cfg: what its ${…} stand for, too")
      .option("-p, --package <key>", "with --cfg: only what is below this key")
      .addOption(
        new Option("-i, --info [what]", "print where the configuration comes from and stop").choices(INFO_KINDS)
          .preset("all"),
      )
      .option("--config-dir <dir>", "a folder of configuration files that is searched first (-cd)")
      .option("--config-name <name>", "the primary configuration file, instead of config (-cn)")
      .optionsGroup("Options:");

  command(
    "train",
    "K-fold training; without overrides, a small DeBERTa on the bundled demo data",
    `
Examples:
  entail train
  entail train --fold 0 training.num_epochs=5
  entail train data=redsm5 model=deberta_nli model.model_name=/models/deberta-v3-base
  entail train overwrite=true               start anew where a run is already; the same command alone continues it
  entail train -m seed=1,2 training.learning_rate=1e-4,3e-4,1e-3   six runs, in output_dir/0 to output_dir/5
  entail train -m "training.num_epochs=range(1,4)" "model=choice(minilm,deberta_tiny)"`,
  )
    .option("--fold <k>", "train this fold only", nonNegativeInteger)
    .option("-m, --multirun", "a run for each combination of comma-separated values, choice(…), range(…) or glob(…)")
    .argument("[overrides...]", OVERRIDES)
    .action(async (overrides, options) =>
      await (await import("./train.ts")).train(overrides, options, interruptSignal())
    );

  command(
    "eval",
    "evaluate the checkpoints of a training run, one fold or all, overall and per criterion",
    `
Examples:
  entail eval
  entail eval --fold 0 output_dir=outputs/my_run
  entail eval output_dir=outputs/my_run evaluation.calibration=temperature evaluation.threshold_mode=per_class`,
  )
    .option("--fold <k>", "evaluate this fold only", nonNegativeInteger)
    .option("--json", "one JSON document on stdout")
    .argument("[overrides...]", OVERRIDES)
    .action(async (overrides, options) => await (await import("./eval.ts")).evaluate(overrides, options));

  command(
    "predict",
    "score pairs of post and criterion with a checkpoint",
    `
Input: JSON lines {"post": "…", "criterion": "…"} or CSV with those columns; further fields are kept.
Output: the same with "logits" and "probability" added, and "prediction" where thresholds or a temperature were chosen
in the training of the checkpoint.

Examples:
  entail predict --checkpoint outputs/entail --input pairs.jsonl --output scores.jsonl     the run's best fold
  entail predict --checkpoint outputs/entail/checkpoints/fold_0/best --input pairs.jsonl --output scores.jsonl
  cat pairs.csv | entail predict --checkpoint DIR --input - --output -`,
  )
    .option("--checkpoint <dir>", "the folder of a run or a model, or a model of the hub: org/name[@revision]")
    .option("--input <file>", "pairs as .jsonl or .csv; - is stdin")
    .option("--output <file>", "where the scores go; - is stdout")
    .argument("[overrides...]", OVERRIDES)
    .action(async (overrides, options) => {
      requireOptions(options, ["checkpoint", "input", "output"]);
      await (await import("./predict.ts")).predict(overrides, options, interruptSignal());
    });

  command(
    "hpo",
    "a study: search for the best hyper-parameters, resuming where an earlier run stopped",
    `
Without --n-trials it runs until the study has hpo.n_trials finished trials. Several may run at once on one study.

Examples:
  entail hpo --n-trials 20 hpo.hpo_mode.mode=single_split
  entail hpo data=redsm5 model=deberta_nli hpo.study_name=deberta_base_no_aug`,
  )
    .option("--n-trials <n>", "run so many more trials", nonNegativeInteger)
    .argument("[overrides...]", OVERRIDES)
    .action(async (overrides, options) => await (await import("./hpo.ts")).hpo(overrides, options, interruptSignal()));

  command(
    "status",
    "the studies of hpo.storage: trials, best values, pruning, time left",
    `
Examples:
  entail status
  entail status --watch hpo.storage=sqlite:///optuna.db
  entail status --json | jq '.[].best'`,
  )
    .option("--watch", "show it again every few seconds, until Ctrl-C")
    .option("--json", "one JSON document on stdout")
    .argument("[overrides...]", OVERRIDES)
    .action(async (overrides, options) =>
      await (await import("./status.ts")).status(overrides, options, interruptSignal(""))
    );

  command(
    "best",
    "the best trials of a study, each as a configuration that train takes",
    `
The study is hpo.study_name or, if that is left alone, the only one that hpo.storage has.

Examples:
  entail best
  entail best --top 5 hpo.study_name=deberta_base_no_aug
  entail train --config-dir outputs/best/deberta_base_no_aug/1`,
  )
    .option("--top <k>", "how many", positiveInteger, 1)
    .option("--output <dir>", "where the configurations go (default: outputs/best/<study>)")
    .argument("[overrides...]", OVERRIDES)
    .action(async (overrides, options) => await (await import("./best.ts")).best(overrides, options));

  command(
    "report",
    "what a run or a study has come to: tables and charts as Markdown and one HTML page",
    `
RUN is the folder of a run, which may be under way; STUDY the name of a study in hpo.storage. Without either it is the
study hpo.study_name or, where hpo.storage has none, the run in output_dir, or else the storage's only study. No device
is needed.

Examples:
  entail report outputs/my_run
  entail report deberta_base_no_aug
  entail report --output /tmp/report hpo.storage=sqlite:///optuna.db`,
  )
    .option("--output <dir>", "where the report goes (default: RUN/report, or outputs/report/STUDY)")
    .argument("[target]", "RUN or STUDY")
    .argument("[overrides...]", OVERRIDES)
    .action(async (target, overrides, options) =>
      await (await import("./report.ts")).report(target, overrides, options)
    );

  command(
    "compare",
    "runs of the same data and folds side by side: metrics, whether differences are chance, what was set differently",
    `
Figures are over the folds that are trained to their end in all of them. No device is needed.

Examples:
  entail compare outputs/a outputs/b
  entail compare --json outputs/a outputs/b outputs/c`,
  )
    .option("--json", "one JSON document on stdout")
    .argument("[runs...]", "the folders of two or more runs")
    .action(async (runs, options) => await (await import("./compare.ts")).compare(runs, options));

  command(
    "dashboard",
    "a live page over runs and studies, in the browser",
    `
RUN is the folder of a run, or one that has runs below it; STORAGE a storage of studies, or the file of one. Without
either it is hpo.storage and the runs below outputs/. Nothing is changed. It is served on this machine alone; another
--host needs a token: the one given, or one that is made and shown.

Examples:
  entail dashboard
  entail dashboard outputs/my_run sqlite:///optuna.db
  entail dashboard --host 0.0.0.0 --port 8080`,
  )
    .option("--port <n>", "where to listen; 0 is any that is free", portNumber, 8080)
    .option("--host <address>", "the address to listen at", "127.0.0.1")
    .option("--token <text>", "what every request must carry: ?token=… or Authorization: Bearer …", tokenText)
    .argument("[places...]", "RUN or STORAGE, and configuration overrides")
    .action(async (places, options) =>
      await (await import("./dashboard.ts")).dashboard(places, options, interruptSignal(""))
    );

  command(
    "verify",
    "check that everything is ready for a study: search space, model, data, adapter, memory, storage",
    `
Examples:
  entail verify
  entail verify data=redsm5 hpo=optuna_aug hpo.storage=postgresql://me@host/studies`,
  )
    .argument("[overrides...]", OVERRIDES)
    .action(async (overrides, options) => await (await import("./verify.ts")).verify(overrides, options));

  command(
    "prepare",
    "build the groundtruth file from raw ReDSM5 files",
    `
Example:
  entail prepare --posts posts.csv --annotations annotations.csv --criteria criteria.json --output groundtruth.csv`,
  )
    .option("--posts <file>", "CSV post_id,text")
    .option("--annotations <file>", "CSV post_id,sentence_id,sentence_text,DSM5_symptom,status,explanation")
    .option("--criteria <file>", "criteria JSON")
    .option("--output <file>", "the groundtruth CSV to write")
    .argument("[overrides...]", OVERRIDES)
    .action(async (overrides, options) => {
      requireOptions(options, ["posts", "annotations", "criteria", "output"]);
      await (await import("./prepare.ts")).prepare(overrides, options);
    });

  command(
    "bench",
    "microbenchmarks of kernels or of whole training steps on this machine's adapter",
    `
Examples:
  entail bench kernels --kernel matmul --shape 1024x768x768
  entail bench kernels --kernel matmul --dtype f16 --variant "registers 8x8"
  entail bench kernels --kernel attention --shape 1024x768x512      two sequences of 512 tokens
  entail bench step --json model=deberta_tiny training.batch_size=32
  entail bench step --profile data=demo`,
  )
    .argument("[what]", "kernels or step", "kernels")
    .argument("[overrides...]", OVERRIDES)
    .option("--kernel <name>", "this kernel only")
    .option("--shape <MxNxK>", "rows x outputs x inputs; of attention tokens x hidden size x tokens of a sequence")
    .option("--dtype <type>", "f32, f16 or bf16 only: how activations are stored")
    .option("--variant <name>", "this variant only, as ./entail info names it")
    .option(
      "--profile",
      "of bench step: bytes, operations and time of every kernel beside this adapter's roof, and a picture",
    )
    .option("--json", "one JSON document on stdout")
    .action(async (what, overrides, options) => await (await import("./bench.ts")).bench(what, overrides, options));

  command(
    "info",
    "the adapter, its features and limits, and which kernels would be used",
    `
With overrides of model, training or data it says which variant of each operation that model would get here, and why.

Examples:
  entail info
  entail info model=deberta_tiny training.batch_size=32
  entail info --json gpu.tune=quick model=deberta_nli data.max_length=512`,
  )
    .option("--json", "one JSON document on stdout")
    .argument("[overrides...]", OVERRIDES)
    .action(async (overrides, options) => await (await import("./info.ts")).info(overrides, options));

  command(
    "compile",
    "one self-contained binary",
    `
Example:
  entail compile --output /usr/local/bin/entail`,
  )
    .option("--output <file>", "the binary to write", "entail.bin")
    .argument("[overrides...]", OVERRIDES)
    .action(async (overrides, options) => await (await import("./compile.ts")).compile(overrides, options));

  command(
    "test",
    "the test suite",
    `
Examples:
  entail test
  entail test tests/nn tests/cli/main_test.ts
  entail test --browser
  entail test --matrices

The other tests emulate tensor cores. --matrices takes Dawn, which \`entail info gpu.backend=dawn\` helps to install, and a
card that has them, or the software adapter of Mesa 26.1 or newer (Debian: mesa-vulkan-drivers from trixie-backports).`,
  )
    .option(
      "--browser",
      "also the tests that need a browser: Chromium, installed on Debian and Ubuntu where there is none",
    )
    .option("--matrices", "only tests on tensor cores, on real ones")
    .argument("[paths...]", "test files or folders (default: all)")
    .action(async (paths, options) => await (await import("./test.ts")).test(paths, options));

  command(
    "check",
    "format, lint, types, who imports whom, and that every kernel compiles",
    `
--shader prints what a kernel becomes when its template is expanded, each line with the file and line below kernels/ that
it comes from, and says whether it compiles on this adapter. It is expanded as a model uses it; settings change constants
(COLUMNS=768) and types of tensors (x=f16). A new kernel needs all its constants.

Examples:
  entail check
  entail check --shader gelu.forward
  entail check --shader layer_norm.forward COLUMNS=768 x=f16`,
  )
    .option("--shader <kernel.entry>", "print this entry point's shader and check nothing else")
    .argument("[settings...]", "of --shader: NAME=value for a constant, tensor=type")
    .action(async (settings, options) => await (await import("./check.ts")).check(settings, options));

  program.command("completion")
    .description("a script that completes commands, options, keys and values in a shell")
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .option("--debug", "print stack traces")
    .addHelpText(
      "after",
      `
Examples:
  eval "$(entail completion bash)"                                 in ~/.bashrc
  source <(entail completion zsh)                                  in ~/.zshrc, after compinit
  entail completion fish >~/.config/fish/completions/entail.fish`,
    )
    .action(async (shell) => console.log((await import("./completion.ts")).completionScript(program, shell).trimEnd()));

  return program;
}

/** Commander reports its own errors as `CommanderError`s; theirs are the user's, in one line, exit status 2. */
function silenceCommander(command: Command): void {
  command.exitOverride().configureOutput({ outputError: () => {} });
  command.commands.forEach(silenceCommander);
}

/** What other programs call a command. */
const COMMAND_MEANINGS: Record<string, string> = {
  ...{ fit: "train", finetune: "train", "fine-tune": "train", resume: "train", crossval: "train", cv: "train" },
  ...{ evaluate: "eval", validate: "eval", metrics: "eval", inference: "predict", infer: "predict", score: "predict" },
  ...{ tune: "hpo", search: "hpo", optimize: "hpo", sweep: "hpo", study: "hpo", optuna: "hpo", multirun: "train -m" },
  ...{ studies: "status", ls: "status", list: "status", top: "best", plot: "report", diff: "compare" },
  ...{ benchmark: "bench", build: "compile", env: "info", doctor: "verify", lint: "check", version: "--version" },
};

/** Commander's message, with what is meant where commander only knows letters. */
async function withMeaning({ code, message }: CommanderError): Promise<string> {
  const text = message.replace(/^error: /, "").replace(/\n/g, " ");
  const unknown = /^unknown (?:command|option) '([^']*)'/.exec(text)?.[1];
  if (unknown === undefined) return text;
  if (code === "commander.unknownCommand") {
    const meant = COMMAND_MEANINGS[unknown.toLowerCase()];
    if (meant !== undefined) return `unknown command '${unknown}'; did you mean ${meant}?`;
    return text.includes("(") ? text : `${text}; entail --help lists them`;
  }
  const [name, value = "…"] = unknown.replace(/^-+/, "").split("=");
  const { keyOf } = await import("../config/validation.ts");
  const key = keyOf(name);
  return key === undefined ? text : `unknown option '${unknown}'; settings have no dashes: ${key}=${value}`;
}

/** Short options of two letters, which commander has none of. */
const HYDRA_FLAGS: Record<string, string> = { "-cd": "--config-dir", "-cn": "--config-name" };

/** Runs one command line and returns the process's exit status. */
export async function main(args: string[]): Promise<number> {
  const program = buildProgram();
  silenceCommander(program);
  try {
    if (args.length === 0) {
      program.outputHelp();
      return 2;
    }
    // Commander answers `help` of an unknown command with the whole help.
    const isHelpOfUnknown = args[0] === "help" && args.length > 1 &&
      !program.commands.some((c) => c.name() === args[1]);
    const words = isHelpOfUnknown ? args.slice(1) : args;
    await program.parseAsync(words.map((word) => HYDRA_FLAGS[word] ?? word), { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0; // --help
    if (isClosedPipe(error)) return 0;
    const shown = error instanceof CommanderError
      ? new EntailError("usage", await withMeaning(error))
      : systemError(error) ?? error;
    printError(shown, args.includes("--debug"));
    return exitStatus(shown);
  }
}

/** The longest line that an error makes. */
const LONGEST_LINE = 2000;

function printError(error: unknown, debug: boolean) {
  const message = inShort(error instanceof Error ? error.message : `${error}`, LONGEST_LINE);
  say(`error: ${withoutPasswords(message)}`);
  if (debug && error instanceof Error) say(withoutPasswords(Deno.inspect(error)));
}

if (import.meta.main) Deno.exit(await main(Deno.args));
