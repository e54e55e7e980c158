/** Finding an adapter, asking it for everything the kernels may need, and turning its errors into ours. */
import { EntailError } from "../errors.ts";
import { type Activity, createActivity } from "./activity.ts";
import { type KernelCache, kernelCache } from "./kernel.ts";

export interface GpuOptions {
  /** Whether an adapter that runs on the CPU will do. */
  allowSoftware?: boolean;
  powerPreference?: GPUPowerPreference;
  /** Most of the transient memory that attention may take beyond what is linear in the tokens, in MiB. */
  workspaceMb?: number;
}

/** An open device and what the rest of the program asks about it. */
export interface Gpu {
  readonly device: GPUDevice;
  /** Human-readable adapter name, e.g. "NVIDIA H100 80GB HBM3" or "llvmpipe (LLVM 15.0.6, 256 bits)". */
  readonly name: string;
  readonly vendor: string;
  /** Kernels come in variants; this is what chooses between them. */
  readonly kind: "software" | "hardware";
  readonly features: readonly string[];
  readonly hasTimestamps: boolean;
  /** Largest range of a buffer that one binding can see, in bytes. */
  readonly maxBindingBytes: number;
  readonly maxBufferBytes: number;
  readonly maxWorkgroupBytes: number;
  /** See `GpuOptions.workspaceMb`. */
  readonly workspaceBytes: number;
  readonly kernels: KernelCache;
  readonly activity: Activity;
  /** Submits commands; all go this way. Returns their number for `activity.finished`. */
  submit(encoder: GPUCommandEncoder): number;
  /** Throws the first error that the device reported outside an error scope; cheap, call it often. */
  check(): void;
  close(): void;
}

const WANTED_FEATURES: GPUFeatureName[] = ["timestamp-query"];
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
  { allowSoftware = true, powerPreference, workspaceMb = 256 }: GpuOptions = {},
): Promise<Gpu> {
  // Elsewhere than Vulkan (an OpenGL driver, say) nothing has been tried. Read once, when the first adapter is asked for.
  if (Deno.build.os === "linux" && !Deno.env.has("DENO_WEBGPU_BACKEND")) Deno.env.set("DENO_WEBGPU_BACKEND", "vulkan");
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference });
  if (!adapter) {
    throw new EntailError(
      "adapter",
      "no WebGPU adapter: install a Vulkan driver for your GPU, or the software one (Debian/Ubuntu: apt-get install libvulkan1 mesa-vulkan-drivers)",
    );
  }
  const { description, vendor, isFallbackAdapter } = adapter.info;
  const kind = isFallbackAdapter || /llvmpipe|lavapipe|swiftshader|softpipe/i.test(description)
    ? "software"
    : "hardware";
  if (kind === "software" && !allowSoftware) {
    throw new EntailError(
      "adapter",
      `only a software adapter is here (${description}): set gpu.allow_software=true or install a GPU driver`,
    );
  }
  const features = WANTED_FEATURES.filter((feature) => adapter.features.has(feature));
  const requiredLimits = Object.fromEntries(WANTED_LIMITS.map((name) => [name, adapter.limits[name]]));
  let device: GPUDevice;
  try {
    device = await adapter.requestDevice({ requiredFeatures: features, requiredLimits });
  } catch (cause) {
    throw new EntailError("adapter", `${description}: the device could not be opened: ${firstLine(cause)}`, { cause });
  }

  const activity = createActivity();
  let failure: EntailError | null = null;
  let closed = false;
  device.lost.then(({ reason, message }) => {
    if (!closed) {
      failure ??= new EntailError("adapter", `device lost (${reason}): ${firstLine(message)}; resume with resume=true`);
    }
  });
  device.addEventListener("uncapturederror", (event) => {
    event.preventDefault();
    failure ??= gpuError((event as GPUUncapturedErrorEvent).error);
  });

  return {
    device,
    name: description || adapter.info.device || "unknown adapter",
    vendor,
    kind,
    features: [...adapter.features].sort(),
    hasTimestamps: features.includes("timestamp-query"),
    maxBindingBytes: Math.min(device.limits.maxStorageBufferBindingSize, device.limits.maxBufferSize),
    maxBufferBytes: device.limits.maxBufferSize,
    maxWorkgroupBytes: device.limits.maxComputeWorkgroupStorageSize,
    workspaceBytes: workspaceMb * 2 ** 20,
    kernels: kernelCache(device),
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

/** A `GPUError` as one line; running out of memory keeps its own kind. */
export function gpuError(error: GPUError, where = ""): EntailError {
  const text = `${where ? `${where}: ` : ""}${firstLine(error.message)}`;
  return error instanceof GPUOutOfMemoryError
    ? new EntailError("memory", `out of memory on the device: ${text}; lower training.batch_size`)
    : new EntailError("adapter", `the device refused a command: ${text}`);
}

/** wgpu's messages are several lines of "caused by": joined, they name the kernel and the reason. */
function firstLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split("\n").map((line) => line.trim()).filter((line) => line && line !== "Caused by:").join(": ");
}
