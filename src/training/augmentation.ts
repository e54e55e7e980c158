/**
 * Augmentation of evidence sentences in training pairs: what may be replaced and by what is found once; each epoch then
 * draws its own replacements.
 */
import { augmentEpoch } from "../augmentation/augment.ts";
import { type EvidenceOfPairs, loadEvidence } from "../augmentation/evidence.ts";
import { openSynonyms } from "../augmentation/synonyms.ts";
import type { Candidate, ReplaceableWord } from "../augmentation/words.ts";
import type { Config } from "../config/schema.ts";
import type { Pair } from "../dataset/groundtruth.ts";
import { loadAnnotations } from "../dataset/prepare.ts";
import { notVerbatimText } from "../dataset/evidence_spans.ts";
import { EntailError } from "../errors.ts";
import type { Gpu } from "../gpu/device.ts";
import type { ModelFolderOptions } from "../hub/model_folder.ts";
import { contextualCandidates, openContextualSource } from "./contextual.ts";
import { downloadReport, patiently, type Reporter } from "./reporter.ts";
import type { RunData } from "./run_data.ts";

export interface Augmentation {
  /** The pairs that may become longer than they are. */
  readonly evidence: EvidenceOfPairs;
  /**
   * The posts of these training pairs that an epoch, counted from 0, changes, by index of the pair. A function of (seed,
   * epoch, pair), whatever the fold.
   */
  postsOf(train: readonly number[], epoch: number): ReadonlyMap<number, string>;
}

/** Prepares augmentations, keeping what the runs or trials of a process have in common. */
export interface Augmenter {
  /** Null without `augmentation.enable`. `makeRoom` is called before a language model needs the device's memory. */
  prepare(
    config: Config,
    parts: { data: RunData; gpu: Gpu; makeRoom?: () => void; signal?: AbortSignal },
  ): Promise<Augmentation | null>;
}

/** Texts between two looks at the clock and at Ctrl-C. */
const TEXTS_AT_ONCE = 32;

/** Usage and data errors of an augmentation's keys and files, before anything costly is done but a download. */
export async function checkAugmentation(config: Config, download?: ModelFolderOptions): Promise<void> {
  checkAugmentationKeys(config);
  const { enable, method, model_name } = config.augmentation;
  if (!enable) return;
  await namingKey("data.annotations_csv", () => loadAnnotations(config.data.annotations_csv!));
  if (method === "contextual") await openSource(model_name!, download);
}

const openSource = (name: string, download?: ModelFolderOptions) =>
  namingKey("augmentation.model_name", () => openContextualSource(name, download));

/** Usage errors for what `augmentation.enable` needs and the configuration does not name. */
export function checkAugmentationKeys({ augmentation, data }: Config): void {
  if (!augmentation.enable) return;
  if (data.annotations_csv === null) {
    throw new EntailError(
      "usage",
      "data.annotations_csv: is null, but augmentation.enable=true needs the evidence sentences; name their file",
    );
  }
  if (augmentation.method === "contextual" && augmentation.model_name === null) {
    throw new EntailError(
      "usage",
      "augmentation.model_name: is null, but augmentation.method=contextual needs a masked language model; name one",
    );
  }
}

export function createAugmenter(reporter: Reporter): Augmenter {
  let evidence: { key: string; pairs: readonly Pair[]; evidence: EvidenceOfPairs } | undefined;
  /** By method and model, for the evidence at hand. */
  const replaceable = new Map<string, ReplaceablePairs>();

  async function prepareEvidence(config: Config, pairs: readonly Pair[]): Promise<EvidenceOfPairs> {
    const key = config.data.annotations_csv!;
    if (evidence?.key !== key || evidence.pairs !== pairs) {
      replaceable.clear();
      evidence = { key, pairs, evidence: await evidenceOf(config, pairs, reporter) };
    }
    return evidence.evidence;
  }

  return {
    async prepare(config, { data, gpu, makeRoom, signal }) {
      if (!config.augmentation.enable) return null;
      checkAugmentationKeys(config);
      const { method, model_name, prob } = config.augmentation;
      const found = await prepareEvidence(config, data.pairs);
      const key = method === "contextual" ? `${method} by ${model_name}` : method;
      let replaceablePairs = replaceable.get(key);
      if (!replaceablePairs) {
        const source = {
          evidence: found,
          pairs: data.pairs,
          onProgress: patiently(reporter, `${method} candidates`),
          signal,
        };
        if (method === "contextual") {
          const download = { ...downloadReport(reporter), signal };
          const { warning } = await openSource(model_name!, download);
          if (warning !== null) reporter.warn(`augmentation.model_name: ${warning}`);
          makeRoom?.();
          replaceablePairs = await findContextual(gpu, model_name!, source);
        } else {
          replaceablePairs = await findSynonyms(source);
        }
        replaceable.set(key, replaceablePairs);
        reporter.info(describe(key, replaceablePairs));
      }
      const { seed } = config;
      return {
        evidence: found,
        postsOf: (train, epoch) => augmentEpoch(membersOf(replaceablePairs, data, train), { prob, seed, epoch }),
      };
    },
  };
}

/** Words with candidates by index of the pair; pairs without such words are left out. */
type ReplaceablePairs = ReadonlyMap<number, readonly ReplaceableWord[]>;

/** Those of the pairs that have such words. */
function* membersOf(replaceable: ReplaceablePairs, { pairs }: RunData, indices: readonly number[]) {
  for (const index of indices) {
    const words = replaceable.get(index);
    if (words) yield [index, pairs[index].post, words] as const;
  }
}

interface Source {
  evidence: EvidenceOfPairs;
  pairs: readonly Pair[];
  onProgress: (done: number, total: number) => void;
  signal?: AbortSignal;
}

async function findSynonyms({ evidence, pairs, onProgress, signal }: Source): Promise<ReplaceablePairs> {
  const find = await openSynonyms();
  const candidates: Candidate[][][] = [];
  for (const [index, { spans, words }] of evidence) {
    candidates.push(find({ text: pairs[index].post, spans, words }));
    if (candidates.length % TEXTS_AT_ONCE === 0) await new Promise((resolve) => setTimeout(resolve));
    if (signal?.aborted) throw new EntailError("interrupted", "interrupted while looking for synonyms");
    onProgress(candidates.length, evidence.size);
  }
  return withCandidates(evidence, candidates);
}

async function findContextual(
  gpu: Gpu,
  folder: string,
  { evidence, pairs, onProgress, signal }: Source,
): Promise<ReplaceablePairs> {
  const items = [...evidence].map(([index, { words }]) => ({ text: pairs[index].post, words }));
  return withCandidates(evidence, await contextualCandidates(gpu, folder, items, { onProgress, signal }));
}

function withCandidates(evidence: EvidenceOfPairs, candidates: readonly Candidate[][][]): ReplaceablePairs {
  const replaceable = new Map<number, ReplaceableWord[]>();
  [...evidence].forEach(([index, { words }], i) => {
    const own = words.map((word, k) => ({ ...word, candidates: candidates[i][k] }));
    const useful = own.filter(({ candidates }) => candidates.length > 0);
    if (useful.length > 0) replaceable.set(index, useful);
  });
  return replaceable;
}

/** The evidence of a run's pairs; says what of it does not stand in its posts. Data error where there is none. */
export async function evidenceOf(
  { data }: Config,
  pairs: readonly Pair[],
  reporter: Pick<Reporter, "warn">,
): Promise<EvidenceOfPairs> {
  const file = data.annotations_csv!;
  const { evidence, counts } = await namingKey("data.annotations_csv", () => loadEvidence(file, pairs));
  const notVerbatim = notVerbatimText(counts);
  if (notVerbatim !== null) reporter.warn(`data.annotations_csv: ${notVerbatim}`);
  if (evidence.size > 0) return evidence;
  throw new EntailError(
    "data",
    `data.annotations_csv: ${file}: none of its sentences stands in a positive pair of ${data.groundtruth_csv}, there ` +
      "is nothing to augment",
  );
}

/** Puts the key that named a file or a folder in front of its errors. */
async function namingKey<T>(key: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof EntailError) || error.kind === "memory") throw error;
    throw new EntailError(error.kind, `${key}: ${error.message}`, { cause: error });
  }
}

function describe(how: string, replaceable: ReplaceablePairs): string {
  const words = [...replaceable.values()].reduce((sum, { length }) => sum + length, 0);
  const number = (value: number) => value.toLocaleString("en-US");
  return `augmentation: ${how}, ${number(replaceable.size)} pairs, ${number(words)} words with candidates`;
}
