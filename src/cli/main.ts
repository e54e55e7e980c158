/** The command line: what each command is called and takes. The work is in the file named after the command. */
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { EntailError, exitStatus } from "../errors.ts";
import { inShort } from "../formats/human.ts";
import { withoutPasswords } from "../formats/secrets.ts";
import { VERSION } from "../version.ts";
import { interruptSignal } from "./interrupt.ts";
import type { CommonOptions } from "./options.ts";
import { say } from "./say.ts";
import { isClosedPipe, systemError } from "./system_error.ts";

const OVERRIDES = "configuration overrides: key=value, group=option, +new.key=value, ~key";

function nonNegativeInteger(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("expected a whole number, 0 or more.");
  return Number(text);
}

function positiveInteger(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError("expected a whole number, 1 or more.");
  return Number(text);
}

/** Options that a command cannot do without; `--cfg job` can. */
function requireOptions(options: CommonOptions, names: readonly string[]): void {
  const missing = names.filter((name) => !(name in options));
  if (missing.length === 0 || options.cfg) return;
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
      .addOption(new Option("-c, --cfg <what>", "print the resolved configuration as YAML and stop").choices(["job"]))
      .option("--config-dir <dir>", "a folder of configuration files that is searched first")
      .option("--quiet", "print results and errors only")
      .option("--debug", "print stack traces")
      .addHelpText("after", help);

  command(
    "train",
    "K-fold training; without overrides, a small DeBERTa on the bundled demo data",
    `
Examples:
  entail train
  entail train --fold 0 training.num_epochs=5
  entail train data=redsm5 model=deberta_nli model.model_name=/models/deberta-v3-base
  entail train overwrite=true               start anew where a run is already; the same command alone continues it`,
  )
    .option("--fold <k>", "train this fold only", nonNegativeInteger)
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
  entail predict --checkpoint outputs/entail/checkpoints/fold_0/best --input pairs.jsonl --output scores.jsonl
  cat pairs.csv | entail predict --checkpoint DIR --input - --output -`,
  )
    .option("--checkpoint <dir>", "a Hugging Face folder, or a model of the hub: org/name or org/name@revision")
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

  command("status", "the studies of hpo.storage: trials, best values, pruning, time left")
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
Examples:
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
study hpo.study_name or, where hpo.storage has none, the run in output_dir. No device is needed.

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
    "verify",
    "check that everything is ready for a study: search space, model, data, adapter, memory, storage",
  )
    .argument("[overrides...]", OVERRIDES)
    .action(async (overrides, options) => await (await import("./verify.ts")).verify(overrides, options));

  command("prepare", "build the groundtruth file from raw ReDSM5 files")
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

  command("compile", "one self-contained binary")
    .option("--output <file>", "the binary to write", "entail.bin")
    .argument("[overrides...]", OVERRIDES)
    .action(async (overrides, options) => await (await import("./compile.ts")).compile(overrides, options));

  command("test", "the test suite")
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

  return program;
}

/** Commander reports its own errors as `CommanderError`s; theirs are the user's, in one line, exit status 2. */
function silenceCommander(command: Command): void {
  command.exitOverride().configureOutput({ outputError: () => {} });
  command.commands.forEach(silenceCommander);
}

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
    await program.parseAsync(isHelpOfUnknown ? args.slice(1) : args, { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0; // --help
    if (isClosedPipe(error)) return 0;
    const shown = error instanceof CommanderError
      ? new EntailError("usage", error.message.replace(/^error: /, ""))
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
