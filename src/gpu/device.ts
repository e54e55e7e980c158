/** Asking an adapter for everything the kernels may need, and turning its errors into ours. */
import { EntailError } from "../errors.ts";
import { type Activity, createActivity } from "./activity.ts";
import { findAdapter } from "./adapter.ts";
import { type AskedBackend, type Backend, type Capabilities, kindOf } from "./backend.ts";
import { type KernelCache, kernelCache } from "./kernel.ts";
import { EMULATED, type MatrixShape, matrixShapeOf } from "./matrix.ts";
import { subgroupsWork } from "./probe.ts";

/** Which adapter `openGpu` opens. */
export interface GpuOptions {
  /** Whose WebGPU. */
  backend?: AskedBackend;
  /** Whether an adapter that runs on the CPU will do. */
  allowSoftware?: boolean;
  /** Which of several; by default the system's choice. */
  powerPreference?: GPUPowerPreference;
  /** Most of the transient memory that attention may take beyond what is linear in the tokens, in MiB. */
  workspaceMb?: number;
  /** See `Gpu.tuned`. */
  tuned?: ReadonlyMap<string, string>;
}

/** An open device and what the rest of the program asks about it. */
export interface Gpu {
  /**
   * Whose WebGPU it is.
   * @internal
   */
  readonly backend: Backend;
  /** What `auto` chose the backend by; null where it was asked for. */
  readonly whyBackend: string | null;
  /** WebGPU's device. */
  readonly device: GPUDevice;
  /** Human-readable adapter name, e.g. "NVIDIA H100 80GB HBM3" or "llvmpipe (LLVM 15.0.6, 256 bits)". */
  readonly name: string;
  /** As the adapter says. */
  readonly vendor: string;
  /** Kernels come in variants; this is what chooses between them. */
  readonly kind: "software" | "hardware";
  /**
   * What kernels may use.
   * @internal
   */
  readonly can: Capabilities;
  /**
   * What kernels for tensor cores multiply.
   * @internal
   */
  readonly matrix: MatrixShape;
  /** Invocations of a subgroup; 0 where there are no subgroups, or of several sizes. */
  readonly subgroupSize: number;
  /** Invocations that a subgroup has at least; 0 where there are none. */
  readonly leastSubgroup: number;
  /** WebGPU's features that it was opened with. */
  readonly features: readonly string[];
  /** Whether it tells the time of its work. */
  readonly hasTimestamps: boolean;
  /** Largest range of a buffer that one binding can see, in bytes. */
  readonly maxBindingBytes: number;
  /** Largest buffer, in bytes. */
  readonly maxBufferBytes: number;
  /** Memory of a workgroup, in bytes. */
  readonly maxWorkgroupBytes: number;
  /** See `GpuOptions.workspaceMb`. */
  readonly workspaceBytes: number;
  /** Variants of kernels that were measured to be the fastest here, by operation and key (src/nn/variants.ts). */
  readonly tuned: ReadonlyMap<string, string>;
  /**
   * Compiled kernels.
   * @internal
   */
  readonly kernels: KernelCache;
  /**
   * When it had work.
   * @internal
   */
  readonly activity: Activity;
  /** Submits commands; all go this way. Returns their number for `activity.finished`. */
  submit(encoder: GPUCommandEncoder): number;
  /** Throws the first error that the device reported outside an error scope; cheap, call it often. */
  check(): void;
  /** Gives the device back. */
  close(): void;
}

const WANTED_LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxStorageBuffersPerShaderStage",
] as const;

/**
 * Opens the adapter that `powerPreference` asks for, with its own limits rather than WebGPU's modest defaults.
 * Throws an `EntailError` of kind "adapter" when there is none, or only a software one that is not allowed.
 */
export async function openGpu(
  { backend: asked = "deno", allowSoftware = true, powerPreference, workspaceMb = 256, tuned = new Map() }: GpuOptions =
    {},
): Promise<Gpu> {
  const { backend, adapter, why } = await findAdapter(asked, { powerPreference });
  const { description, vendor, subgroupMinSize, subgroupMaxSize } = adapter.info;
  const kind = kindOf(adapter.info);
  if (kind === "software" && !allowSoftware) {
    throw new EntailError(
      "adapter",
      `only a software adapter is here (${description}): set gpu.allow_software=true or install a GPU driver`,
    );
  }
  const requiredLimits = Object.fromEntries(WANTED_LIMITS.map((limit) => [limit, adapter.limits[limit]]));
  let device: GPUDevice;
  try {
    device = await backend.requestDevice(adapter, requiredLimits);
  } catch (cause) {
    throw new EntailError("adapter", `${description}: the device could not be opened: ${oneLine(cause)}`, { cause });
  }

  const activity = createActivity();
  let failure: EntailError | null = null;
  let closed = false;
  device.lost.then((info) => {
    if (!closed) failure ??= lossError(info);
  });
  device.addEventListener("uncapturederror", (event) => {
    event.preventDefault();
    failure ??= gpuError(backend, (event as GPUUncapturedErrorEvent).error);
  });

  const kernels = kernelCache({ backend, device });
  const matrix = matrixShapeOf(device, adapter.info, kind);
  const can = {
    f16: device.features.has("shader-f16"),
    subgroups: device.features.has("subgroups") && await subgroupsWork({ backend, device, kernels }, adapter.info),
    matrices: matrix !== undefined,
  };
  return {
    backend,
    whyBackend: why,
    device,
    name: backend.adapterName(adapter.info),
    vendor,
    kind,
    can,
    matrix: matrix ?? EMULATED,
    subgroupSize: can.subgroups && subgroupMinSize === subgroupMaxSize ? subgroupMinSize : 0,
    leastSubgroup: can.subgroups ? subgroupMinSize : 0,
    features: [...new Set([...adapter.features, ...device.features])].sort(),
    hasTimestamps: device.features.has("timestamp-query"),
    maxBindingBytes: Math.min(device.limits.maxStorageBufferBindingSize, device.limits.maxBufferSize),
    maxBufferBytes: device.limits.maxBufferSize,
    maxWorkgroupBytes: device.limits.maxComputeWorkgroupStorageSize,
    workspaceBytes: workspaceMb * 2 ** 20,
    tuned,
    kernels,
    activity,
    submit(encoder) {
      const number = activity.submitted();
      device.queue.submit([encoder.finish()]);
      return number;
    },
    check() {
      if (failure) throw failure;
    },
    close() {
      closed = true;
      device.destroy();
    },
  };
}

/** Why a device is lost. Dawn loses one whose driver runs out of memory while it works, and says so by Vulkan's name. */
export function lossError({ reason, message }: { reason: string; message: string }): EntailError {
  const text = `device lost (${reason}): ${oneLine(message)}`;
  return /VK_ERROR_OUT_OF_\w+_MEMORY/.test(message)
    ? new EntailError("memory", `out of memory on the device: ${text}; lower training.batch_size`)
    : new EntailError("adapter", `${text}; the same command goes on from the last checkpoint`);
}

/** A `GPUError` as one line; running out of memory keeps its own kind. `locate` finds the places that it names. */
export function gpuError(
  { OutOfMemoryError }: Backend,
  error: GPUError,
  where = "",
  locate: (message: string) => string = (message) => message,
): EntailError {
  const text = `${where ? `${where}: ` : ""}${oneLine(locate(error.message))}`;
  return error instanceof OutOfMemoryError
    ? new EntailError("memory", `out of memory on the device: ${text}; lower training.batch_size`)
    : new EntailError("adapter", `the device refused a command: ${text}`);
}

/** Messages have several lines ("caused by" in wgpu, "while calling" in Dawn): joined, they name the kernel and the reason. */
function oneLine(error: unknown): string {
  const message = error instanceof Error ? error.message || error.name : String(error);
  const lines = message.split("\n").map((line) => line.trim().replace(/^- |\.$/g, ""));
  return lines.filter((line) => line && line !== "Caused by:" && !IN_DAWN.test(line)).join(": ");
}

/** Where in Dawn's own source an error arose. */
const IN_DAWN = /^at \w+ \(.*\)$/;
