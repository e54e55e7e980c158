/** The parameters of a model as files give them, by the model's own names: those of a folder, or with an adapter added. */
import { EntailError } from "../errors.ts";
import { openCheckpointTensors } from "../formats/checkpoint_tensors.ts";
import type { TensorSource, TensorWindow } from "../formats/tensor_source.ts";
import { elements } from "../gpu/tensor.ts";
import { isQuantized, type ParameterSpec } from "../nn/parameters.ts";
import { dequantized, quantize } from "../nn/quantize.ts";
import { type Adapter, isLoraParameter, type WeightsFolder } from "./adapter.ts";
import { type AdapterTensors, type LoraFactors, openAdapterTensors } from "./adapter_folder.ts";
import type { ModelConfig } from "./model_config.ts";
import { matchTensors } from "./parameters.ts";

export interface ParameterSource {
  /** Head parameters that no file has. */
  readonly initialised: readonly string[];
  /** The file and the tensor that a parameter is read from; undefined where there is none. */
  placeOf(name: string): { file: string; tensor: string } | undefined;
  read(name: string, window?: TensorWindow): Promise<Float32Array>;
  close(): void;
}

const shapesOf = ({ tensors }: TensorSource) => new Map([...tensors].map(([name, { shape }]) => [name, shape]));

/**
 * Opens the parameters that a folder has. Data error where an encoder tensor is missing or a shape differs, or an adapter is
 * of another model; a head that need not be `trained` may be one for other labels.
 */
export async function openParameters(
  config: ModelConfig,
  specs: readonly ParameterSpec[],
  from: WeightsFolder,
  head: { trained?: boolean } = {},
): Promise<ParameterSource> {
  if (typeof from === "string") return await openWhole(config, specs, from, head);
  const adapter = await openAdapterTensors(from.adapter);
  let base: ParameterSource | undefined;
  try {
    const { own, bits, layers, factorsOf } = adapter;
    const named = new Map(specs.map((spec) => [spec.name, spec]));
    checkShapes(adapter, named);
    base = await openWhole(config, specs.filter(({ name }) => !own.has(name)), from.base, head);
    const factors = new Map<string, LoraFactors>();
    for (const layer of layers.keys()) factors.set(layer, await factorsOf(layer));
    const merged = withAdapter(base, specs, { bits, factors });
    return {
      initialised: merged.initialised,
      placeOf(name) {
        const tensor = own.get(name);
        return tensor === undefined ? merged.placeOf(name) : { file: adapter.source.fileOf(tensor), tensor };
      },
      async read(name, window) {
        const tensor = own.get(name);
        return tensor === undefined ? await merged.read(name, window) : await adapter.source.readTensor(tensor, window);
      },
      close() {
        merged.close();
        adapter.close();
      },
    };
  } catch (error) {
    base?.close();
    adapter.close();
    throw error;
  }
}

async function openWhole(
  config: ModelConfig,
  specs: readonly ParameterSpec[],
  folder: string,
  head: { trained?: boolean },
): Promise<ParameterSource> {
  const source = await openCheckpointTensors(folder);
  try {
    const { sources, initialised } = matchTensors(config, specs, shapesOf(source), folder, head);
    return {
      initialised: initialised.filter((name) => !isLoraParameter(name)),
      placeOf(name) {
        const tensor = sources.get(name);
        return tensor === undefined ? undefined : { file: source.fileOf(tensor), tensor };
      },
      read: (name, window) => source.readTensor(sources.get(name)!, window),
      close: () => source.close(),
    };
  } catch (error) {
    source.close();
    throw error;
  }
}

/** Data error where an adapter's tensors do not fit the parameters that they change or replace. */
function checkShapes({ source, own, layers }: AdapterTensors, named: ReadonlyMap<string, ParameterSpec>): void {
  const check = (tensor: string, name: string, shape: readonly number[]) => {
    const wanted = named.get(name)?.shape;
    if (wanted?.length === shape.length && wanted.every((size, i) => size === shape[i])) return;
    const why = wanted ? `the model's ${name} is [${wanted.join(", ")}]` : `the model has no ${name}`;
    throw new EntailError(
      "data",
      `${source.fileOf(tensor)}: ${tensor}: is for [${shape.join(", ")}], but ${why}; the adapter is of another model`,
    );
  };
  for (const [name, tensor] of own) check(tensor, name, source.tensors.get(tensor)!.shape);
  for (const [layer, { a, b }] of layers) check(layer, `${layer}.weight`, [b[0], a[1]]);
}

/** What an adapter makes of the weights of its base. */
interface AdapterEffect {
  /** In how many bits the base's weights were held. */
  bits: Adapter["bits"];
  /** By layer. */
  factors: ReadonlyMap<string, LoraFactors>;
}

/**
 * The parameters of `base` as a model with an adapter computes with them: rounded to what `bits` can hold, plus s·B·A. The
 * result closes `base`.
 */
export function withAdapter(
  base: ParameterSource,
  specs: readonly ParameterSpec[],
  { bits, factors }: AdapterEffect,
): ParameterSource {
  const named = new Map(specs.map((spec) => [spec.name, spec]));
  /** The last weight that was rounded: it is read in several pieces. */
  let rounded: { name: string; values: Float32Array } | undefined;
  async function readBase(name: string, offset: number, count: number): Promise<Float32Array> {
    const { product, shape } = named.get(name)!;
    if (!product || !isQuantized(bits)) {
      return await base.read(name, { offsetElements: offset, countElements: count });
    }
    if (rounded?.name !== name) {
      rounded = { name, values: dequantized(quantize(await base.read(name), shape, bits), shape, bits) };
    }
    return rounded.values.slice(offset, offset + count);
  }
  return {
    ...base,
    async read(name, { offsetElements: offset = 0, countElements } = {}) {
      const { shape } = named.get(name)!;
      const values = await readBase(name, offset, countElements ?? elements(shape) - offset);
      const lora = name.endsWith(".weight") ? factors.get(name.slice(0, -".weight".length)) : undefined;
      if (lora) addProduct(values, lora, offset, shape[1]);
      return values;
    },
  };
}

/** values += s·B·A, `values` being elements from `offset` on of a matrix with so many columns. */
function addProduct(values: Float32Array, { a, b, rank, scale }: LoraFactors, offset: number, columns: number): void {
  const sums = new Float64Array(columns);
  const end = offset + values.length;
  for (let row = Math.floor(offset / columns); row * columns < end; row++) {
    sums.fill(0);
    for (let k = 0; k < rank; k++) {
      const factor = scale * b[row * rank + k];
      for (let column = 0; column < columns; column++) sums[column] += factor * a[k * columns + column];
    }
    const first = Math.max(row * columns, offset);
    const last = Math.min((row + 1) * columns, end);
    for (let at = first; at < last; at++) values[at - offset] += sums[at - row * columns];
  }
}
