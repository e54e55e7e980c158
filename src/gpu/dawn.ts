/** Dawn, Chromium's WebGPU, by an optional npm package that is loaded only when asked for. It knows tensor cores. */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { EntailError } from "../errors.ts";
import { type Backend, listed } from "./backend.ts";
import { SUBGROUP_MATRIX, SUBGROUP_SIZE } from "./matrix.ts";

const VERSION = "0.6.2";

/** Not among the imports of deno.json: with its binaries for every system it takes 132 MB, which few need. */
const FOLDER = new URL("../../.deno/dawn/", import.meta.url);

interface Dawn {
  create(options: string[]): GPU;
  globals: {
    GPUBufferUsage: typeof GPUBufferUsage;
    GPUMapMode: typeof GPUMapMode;
    GPUOutOfMemoryError: typeof GPUOutOfMemoryError;
    GPUQueue: typeof GPUQueue;
  };
}

const OPTIONS = [
  "enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia", // subgroup matrices; 16-bit floats on NVIDIA
  "disable-dawn-features=timestamp_quantization", // 0.1 ms otherwise
];

const FEATURES: GPUFeatureName[] = [
  "timestamp-query",
  "shader-f16",
  "subgroups",
  SUBGROUP_SIZE,
  SUBGROUP_MATRIX,
];

/** Kept for good: once what `create` returns is collected, the next command aborts the process. */
let instance: Promise<{ gpu: GPU; globals: Dawn["globals"] }> | undefined;

/** Throws an `EntailError` of kind "adapter" that says how to install the package where it is not in `folder`. */
export async function dawnBackend(folder = FOLDER): Promise<Backend> {
  if (!isDawnInstalled(folder)) {
    throw new EntailError(
      "adapter",
      Deno.build.standalone
        ? "gpu.backend=dawn: a compiled program cannot load it; run ./entail from the sources or set gpu.backend=deno"
        : `gpu.backend=dawn: not installed; run: ${installCommand(folder)}`,
    );
  }
  const { gpu, globals } = await (instance ??= load(new URL("index.js", homeIn(folder))));
  return {
    name: "dawn",
    BufferUsage: globals.GPUBufferUsage,
    MapMode: globals.GPUMapMode,
    OutOfMemoryError: globals.GPUOutOfMemoryError,
    noAdapter: "gpu.backend=dawn: no adapter whose Vulkan driver is new enough (the software one from Mesa 25 on); " +
      "update the driver or set gpu.backend=deno",
    knownExtensions: [],
    requestAdapter: async (options) => await gpu.requestAdapter(options),
    requestDevice: async (adapter, requiredLimits) =>
      await adapter.requestDevice({ requiredFeatures: listed(adapter, FEATURES), requiredLimits }),
    // Its description is the driver's.
    adapterName: ({ device }) => `${device.replace(/-+$/, "")} (Dawn)`,
  };
}

// deno-lint-ignore require-await
async function load(entry: URL): Promise<{ gpu: GPU; globals: Dawn["globals"] }> {
  let dawn: Dawn;
  try {
    // Not `import`, whose target a package that is published must name.
    dawn = createRequire(entry)(fileURLToPath(entry));
  } catch (cause) {
    const reason = (cause as Error).message.split("\n")[0];
    throw new EntailError("adapter", `gpu.backend=dawn: it does not load here: ${reason}; set gpu.backend=deno`, {
      cause,
    });
  }
  acceptFloat16(dawn.globals.GPUQueue);
  pollByTimer();
  return { gpu: dawn.create(OPTIONS), globals: dawn.globals };
}

/** Puts the package there; for a shell. */
export function installCommand(folder = FOLDER): string {
  const path = decodeURIComponent(folder.pathname).replace(/\/$/, "").replace(/[$"`\\]/g, "\\$&");
  return `npm install --prefix "${path}" webgpu@${VERSION}`;
}

const homeIn = (folder: URL): URL => new URL("node_modules/webgpu/", folder);

/** Whether the package is there, in this version. */
export function isDawnInstalled(folder = FOLDER): boolean {
  try {
    return JSON.parse(Deno.readTextFileSync(new URL("package.json", homeIn(folder)))).version === VERSION;
  } catch {
    return false;
  }
}

/** Its `writeBuffer` ends the process when given a Float16Array: hands the same bytes over as another array. */
function acceptFloat16({ prototype }: typeof GPUQueue): void {
  const { writeBuffer } = prototype;
  prototype.writeBuffer = function (buffer, offset, data, ...range) {
    const words = data instanceof Float16Array ? new Uint16Array(data.buffer, data.byteOffset, data.length) : data;
    return writeBuffer.call(this, buffer, offset, words, ...range);
  };
}

/**
 * While anything is awaited, it asks the driver for news from one `setImmediate` to the next, which keeps a whole core busy:
 * half of what computes, on a software adapter of two. Every millisecond will do. Its callbacks are native and have no name.
 */
function pollByTimer(): void {
  const { setImmediate } = globalThis;
  const isDawns = (callback: () => void) => callback.name === "" && `${callback}`.includes("[native code]");
  globalThis.setImmediate =
    ((callback: () => void, ...args: []) =>
      isDawns(callback) ? setTimeout(callback, 1) : setImmediate(callback, ...args)) as typeof setImmediate;
}
