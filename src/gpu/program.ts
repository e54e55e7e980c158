/**
 * A program: a flat list of dispatches, clears and copies that is planned once and replayed for every batch.
 *
 * Layers append to it with tensors that have a shape but no memory yet. When the list is complete, `planMemory` knows
 * the first and last use of every such transient tensor, lets tensors that never live at the same time share a buffer,
 * and so knows every byte before the first dispatch. `allocatePrograms` then takes that memory, compiles the kernels
 * and makes the bind groups; replaying a program only encodes.
 *
 * Shapes of transient tensors are capacities. A replay passes the sizes of its own batch, from which each dispatch
 * computes its grid, and shaders learn the same sizes from uniforms.
 */
import { EntailError } from "../errors.ts";
import type { Gpu } from "./device.ts";
import { gpuError } from "./device.ts";
import type { KernelSpec } from "./kernel.ts";
import { type DType, elementBytes } from "./dtype.ts";
import { alignBytes, allocateBuffers, elements, mebibytes, type Tensor, TENSOR_ALIGNMENT } from "./tensor.ts";
import { createTimestamps, MAX_TIMESTAMPS } from "./timestamps.ts";

export type Grid = readonly [x: number, y?: number, z?: number];

export interface Dispatch<Sizes> extends KernelSpec {
  /** One tensor for each module-scope variable that the entry point uses, by its WGSL name. */
  bindings: Readonly<Record<string, Tensor>>;
  /** Workgroups to run for a batch of these sizes. */
  grid: (sizes: Sizes) => Grid;
  /** For profiles: what this dispatch is for, e.g. "layer 3 query". */
  label?: string;
}

type Command<Sizes> =
  | { kind: "dispatch"; dispatch: Dispatch<Sizes> }
  | { kind: "clear"; tensor: Tensor }
  | { kind: "copy"; from: Tensor; to: Tensor };

export interface Program<Sizes> {
  readonly label: string;
  /** A tensor that lives from its first to its last use in this program. */
  transient(label: string, shape: readonly number[], dtype?: DType): Tensor;
  /** Like `transient`, but its content stays until the program runs again, for a later copy or read. */
  result(label: string, shape: readonly number[], dtype?: DType): Tensor;
  dispatch(dispatch: Dispatch<Sizes>): void;
  clear(tensor: Tensor): void;
  copy(from: Tensor, to: Tensor): void;
  readonly commands: readonly Command<Sizes>[];
  /** Transient tensors with the indices of the first and last command that use them. */
  lifetimes(): { tensor: Tensor; first: number; last: number }[];
}

/** An empty program. */
export function createProgram<Sizes>(label: string): Program<Sizes> {
  const commands: Command<Sizes>[] = [];
  const spans = new Map<Tensor, { first: number; last: number }>();
  const kept = new Set<Tensor>();

  function create(tensorLabel: string, shape: readonly number[], dtype: DType = "f32"): Tensor {
    const bytes = Math.max(elements(shape), 1) * elementBytes(dtype);
    const tensor: Tensor = { label: tensorLabel, shape, dtype, bytes, buffer: null, offset: 0 };
    spans.set(tensor, { first: Infinity, last: -1 });
    return tensor;
  }
  function touch(tensor: Tensor) {
    const span = spans.get(tensor.base ?? tensor);
    if (!span) return;
    span.first = Math.min(span.first, commands.length);
    span.last = commands.length;
  }

  return {
    label,
    commands,
    transient: create,
    result(tensorLabel, shape, dtype) {
      const tensor = create(tensorLabel, shape, dtype);
      kept.add(tensor);
      return tensor;
    },
    dispatch(dispatch) {
      Object.values(dispatch.bindings).forEach(touch);
      commands.push({ kind: "dispatch", dispatch });
    },
    clear(tensor) {
      touch(tensor);
      commands.push({ kind: "clear", tensor });
    },
    copy(from, to) {
      touch(from);
      touch(to);
      commands.push({ kind: "copy", from, to });
    },
    lifetimes() {
      return [...spans].filter(([, span]) => span.last >= 0).map(([tensor, { first, last }]) => ({
        tensor,
        first,
        last: kept.has(tensor) ? Infinity : last,
      }));
    },
  };
}

export interface MemoryPlan {
  /** All transient memory of the programs, in bytes. */
  readonly bytes: number;
  /** Sizes of the buffers and which tensors share each. */
  readonly slots: readonly { bytes: number; tensors: readonly Tensor[] }[];
}

/**
 * Shares memory between transient tensors whose lifetimes do not overlap, the largest placed first. Programs given
 * together share memory too, except their results: they are run one after another.
 */
// deno-lint-ignore no-explicit-any -- programs of any batch type
export function planMemory(programs: readonly Program<any>[]): MemoryPlan {
  type Placed = { first: number; last: number; program: number };
  const slots: { bytes: number; tensors: Tensor[]; spans: Placed[] }[] = [];
  const requests = programs.flatMap((program, index) =>
    program.lifetimes().map((lifetime) => ({ ...lifetime, program: index }))
  );
  requests.sort((a, b) => b.tensor.bytes - a.tensor.bytes);
  const overlap = (a: Placed, b: Placed) =>
    a.program === b.program ? a.first <= b.last && b.first <= a.last : a.last === Infinity || b.last === Infinity;
  for (const { tensor, ...span } of requests) {
    let slot = slots.find(({ spans }) => !spans.some((other) => overlap(span, other)));
    if (!slot) slots.push(slot = { bytes: alignBytes(tensor.bytes), tensors: [], spans: [] });
    slot.tensors.push(tensor);
    slot.spans.push(span);
  }
  return { bytes: slots.reduce((sum, slot) => sum + slot.bytes, 0), slots };
}

export interface DispatchTime {
  label: string;
  kernel: string;
  nanoseconds: number;
}

/** A program with memory and compiled kernels. */
export interface Executable<Sizes> {
  readonly label: string;
  /** In the order in which they run; those without workgroups are left out of a replay. */
  readonly dispatches: readonly Dispatch<Sizes>[];
  /** Encodes one replay. */
  record(encoder: GPUCommandEncoder, sizes: Sizes): void;
  /** Encodes and submits one replay; returns at once. */
  run(sizes: Sizes): void;
  /**
   * Runs once with timestamps around every dispatch; GPU nanoseconds by label, in order. Needs timestamp queries. It is
   * submitted in pieces of at most `pieceDispatches`, because a query set has a limit.
   */
  profile(sizes: Sizes, pieceDispatches?: number): Promise<DispatchTime[]>;
}

/** Memory shared by executables; released all at once. */
export interface Allocation {
  readonly bytes: number;
  release(): void;
}

/** Takes the planned memory. Throws an `EntailError` of kind "memory" if the device does not have it. */
export async function allocateMemory(gpu: Gpu, label: string, plan: MemoryPlan): Promise<Allocation> {
  const wide = plan.slots.find((slot) => slot.bytes > gpu.maxBindingBytes);
  if (wide) {
    throw new EntailError(
      "memory",
      `out of memory on the device: ${wide.tensors[0].label} takes ${
        mebibytes(wide.bytes)
      }, one binding of this adapter ` +
        `${mebibytes(gpu.maxBindingBytes)}; lower training.batch_size or data.max_length`,
    );
  }
  const buffers = await allocateBuffers(gpu, label, plan.slots.map((slot) => slot.bytes));
  plan.slots.forEach((slot, index) => {
    for (const tensor of slot.tensors) tensor.buffer = buffers[index];
  });
  return {
    bytes: plan.bytes,
    release: () => buffers.forEach((buffer) => buffer.destroy()),
  };
}

/** What a dispatch needs compiled: its kernel for the tensors that it binds. */
export function specOf({ kernel, entry, constants, bindings }: Omit<Dispatch<never>, "grid">): KernelSpec {
  const types = Object.fromEntries(Object.entries(bindings).map(([name, { dtype }]) => [name, dtype]));
  return { kernel, entry, constants, types };
}

/**
 * Compiles a program whose tensors all have memory by now. Throws an `Error` that names the kernel if a shader does
 * not compile or a binding does not fit: both are defects, not the user's doing.
 */
export async function compileProgram<Sizes>(gpu: Gpu, program: Program<Sizes>): Promise<Executable<Sizes>> {
  const { device } = gpu;
  const problems: Promise<void>[] = [];
  const steps = program.commands.map((command) => {
    if (command.kind !== "dispatch") return command;
    const { dispatch } = command;
    device.pushErrorScope("validation");
    const kernel = gpu.kernels.get(specOf(dispatch));
    const entries = Object.entries(dispatch.bindings).map(([name, tensor]) => {
      const binding = kernel.bindings.get(name);
      if (!binding) throw new Error(`${kernel.label} has no variable ${name}`);
      if (!tensor.buffer) throw new Error(`${kernel.label}: ${name} (${tensor.label}) has no memory`);
      if (tensor.offset % TENSOR_ALIGNMENT) throw new Error(`${kernel.label}: ${name} is not aligned`);
      const size = Math.ceil(tensor.bytes / 16) * 16;
      const room = tensor.buffer.size - tensor.offset;
      return {
        binding: binding.index,
        resource: { buffer: tensor.buffer, offset: tensor.offset, size: Math.min(size, room) },
      };
    });
    const group = device.createBindGroup({
      label: kernel.label,
      layout: kernel.pipeline.getBindGroupLayout(0),
      entries,
    });
    problems.push(
      device.popErrorScope().then((error) => {
        if (error) throw gpuError(gpu.backend, error, kernel.label, kernel.locate);
      }),
    );
    return { kind: "dispatch" as const, kernel, group, grid: dispatch.grid, label: dispatch.label ?? kernel.label };
  });
  await Promise.all(problems);

  /** `queries`: two timestamps for each dispatch. */
  function encode(encoder: GPUCommandEncoder, part: typeof steps, sizes: Sizes, queries?: GPUQuerySet) {
    let pass: GPUComputePassEncoder | null = null;
    let query = 0;
    const endPass = () => {
      pass?.end();
      pass = null;
    };
    for (const step of part) {
      if (step.kind === "dispatch") {
        const [x, y = 1, z = 1] = step.grid(sizes);
        if (x * y * z === 0) continue;
        if (queries) {
          endPass();
          const timestampWrites = {
            querySet: queries,
            beginningOfPassWriteIndex: query,
            endOfPassWriteIndex: query + 1,
          };
          query += 2;
          pass = encoder.beginComputePass({ label: step.label, timestampWrites });
        }
        pass ??= encoder.beginComputePass({ label: program.label });
        pass.setPipeline(step.kernel.pipeline);
        pass.setBindGroup(0, step.group);
        pass.dispatchWorkgroups(x, y, z);
      } else if (step.kind === "clear") {
        endPass();
        encoder.clearBuffer(step.tensor.buffer!, step.tensor.offset, step.tensor.bytes);
      } else {
        endPass();
        const { from, to } = step;
        encoder.copyBufferToBuffer(from.buffer!, from.offset, to.buffer!, to.offset, from.bytes);
      }
    }
    endPass();
  }

  const runs = (step: typeof steps[number], sizes: Sizes) => {
    if (step.kind !== "dispatch") return false;
    const [x, y = 1, z = 1] = step.grid(sizes);
    return x * y * z > 0;
  };

  return {
    label: program.label,
    dispatches: program.commands.flatMap((command) => command.kind === "dispatch" ? [command.dispatch] : []),
    record: (encoder, sizes) => encode(encoder, steps, sizes),
    run(sizes) {
      gpu.check();
      const encoder = device.createCommandEncoder({ label: program.label });
      encode(encoder, steps, sizes);
      gpu.submit(encoder);
    },
    async profile(sizes, pieceDispatches = MAX_TIMESTAMPS / 2) {
      const profiled: DispatchTime[] = [];
      for (const piece of inPieces(steps, pieceDispatches, (step) => runs(step, sizes))) {
        const timed = piece.filter((step) => step.kind === "dispatch").filter((step) => runs(step, sizes));
        const queries = createTimestamps(gpu, timed.length * 2);
        const encoder = device.createCommandEncoder({ label: program.label });
        encode(encoder, piece, sizes, queries.querySet);
        const submitted = gpu.submit(encoder);
        const times = await queries.read(timed.length * 2);
        gpu.activity.finished(submitted);
        timed.forEach(({ label, kernel }, index) => {
          const nanoseconds = times[index * 2 + 1] - times[index * 2];
          profiled.push({ label, kernel: kernel.label, nanoseconds });
        });
      }
      return profiled;
    },
  };
}

/** Consecutive parts of `items` with at most `most` counted ones each; what follows a part's last goes with it. */
export function inPieces<T>(items: readonly T[], most: number, counts: (item: T) => boolean): T[][] {
  const pieces: T[][] = [[]];
  let counted = 0;
  for (const item of items) {
    if (counts(item) && ++counted > most) {
      pieces.push([]);
      counted = 1;
    }
    pieces.at(-1)!.push(item);
  }
  return pieces;
}

/** Plans, allocates and compiles programs that run one after another in shared memory. */
export async function preparePrograms<Sizes>(
  gpu: Gpu,
  label: string,
  programs: readonly Program<Sizes>[],
): Promise<{ executables: Executable<Sizes>[]; memory: Allocation }> {
  const memory = await allocateMemory(gpu, label, planMemory(programs));
  const executables: Executable<Sizes>[] = [];
  for (const program of programs) executables.push(await compileProgram(gpu, program));
  return { executables, memory };
}

/** Workgroups for `count` of them in one dimension, folded into two where the limit of 65,535 asks for it. */
export function linearGrid(count: number): Grid {
  const rows = Math.ceil(count / 65535);
  return rows <= 1 ? [count] : [Math.ceil(count / rows), rows];
}
