/** A family of models: everything that trainer, scorer, checkpoint, heads, masked LM, model card and bench need of it. */
import type { Gpu } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { FieldReader } from "./config_fields.ts";
import type { ModelConfig } from "./model_config.ts";
import type { ParameterCollector } from "./collector.ts";
import type { Scope, TrainingScope } from "./scope.ts";

export type Projections = Readonly<Record<"query" | "key" | "value", string>>;

/** Defaults of keys that every family has, by their names in config.json. */
export interface SharedDefaults {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly intermediate_size: number;
  readonly type_vocab_size: number;
  readonly layer_norm_eps: number;
  readonly pad_token_id: number;
}

/**
 * One family. It is registered in registry.ts by `modelType`; nothing outside its folder knows what makes it differ from
 * others. `Config` is what it reads from config.json.
 */
export interface Family<Config extends ModelConfig = ModelConfig> {
  /** `model_type` of config.json. */
  readonly modelType: string;
  /** What people call it. */
  readonly title: string;
  /** What its classes in transformers are called: `<className>ForSequenceClassification`. */
  readonly className: string;
  /** What every encoder tensor's name begins with in a checkpoint of a whole model, e.g. "deberta.". */
  readonly prefix: string;
  /** The three projections of attention, below `<layer>.attention.self`. */
  readonly projections: Projections;
  readonly ownHead: OwnHead<Config>;
  readonly maskedLm: MaskedLmHead;

  /** Reads what a configuration has beyond `shared`; errors are those of `read`. */
  readConfig(read: FieldReader, shared: ModelConfig): Config;
  /** Its keys of config.json beyond those of every family. */
  writeConfig(config: Config): Record<string, unknown>;
  /** What transformers takes for absent keys of config.json. */
  readonly defaults: SharedDefaults;
  /** Tokens of a sequence at most; Infinity where nothing limits them. */
  longestSequence(config: Config): number;
  /** Adds the encoder's parameters in transformers' order. */
  encoderParameters(parameters: ParameterCollector, config: Config): void;
  /** The encoder on a device for sequences of up to `longest` tokens, with what does not change with its parameters. */
  createEncoder(gpu: Gpu, config: Config, longest: number): Promise<Encoder<Config>>;
}

export interface Encoder<Config extends ModelConfig = ModelConfig> {
  /** The last hidden states [tokens, hidden] of the scope's batch. */
  forward(scope: Scope<Config>): EncoderPass;
}

/** A forward pass and what follows from it; without dropout uniforms in its scope nothing is kept for a backward. */
export interface EncoderPass {
  readonly hiddenStates: Tensor;
  /** Adds the gradient of every trainable parameter, given that of the hidden states. */
  backward(scope: TrainingScope, dHiddenStates: Tensor): void;
}

/** The head of the family's `…ForSequenceClassification`: the first token through a dense layer, then a classifier. */
export interface OwnHead<Config extends ModelConfig = ModelConfig> {
  /** Name of the dense layer; it belongs to the head even where it stands inside the backbone. */
  readonly dense: string;
  readonly activation: "gelu" | "tanh";
  readonly classifier: string;
  /** Dropout in front of the dense layer; absent: none. */
  inputDropout?(config: Config): number;
}

/** Names of the parameters of the family's `…ForMaskedLM` head, whose last weight is the table of word embeddings. */
export interface MaskedLmHead {
  readonly dense: string;
  readonly norm: string;
  readonly bias: string;
  /** A tensor of the head that tells replaced words: a checkpoint that has it was not pretrained to guess words. */
  readonly replacedWords?: string;
  /** Other names under which one of them may be stored, the preferred one first. */
  aliases(name: string): string[];
}
