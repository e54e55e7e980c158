/** Deno's own WebGPU: wgpu, with naga for a compiler. */
import { type Backend, listed } from "./backend.ts";

/** `hidden`: a feature that is granted where the driver has it, though no adapter lists it. */
export function denoBackend(hidden: GPUFeatureName = "subgroups"): Backend {
  return {
    name: "deno",
    BufferUsage: GPUBufferUsage,
    MapMode: GPUMapMode,
    OutOfMemoryError: GPUOutOfMemoryError,
    noAdapter:
      "no WebGPU adapter: install a Vulkan driver for your GPU, or the software one (Debian/Ubuntu: apt-get install libvulkan1 mesa-vulkan-drivers)",
    knownExtensions: ["subgroups"],
    async requestAdapter(options) {
      // Elsewhere than Vulkan (an OpenGL driver, say) nothing has been tried. Read once, when the first adapter is asked for.
      if (Deno.build.os === "linux" && !Deno.env.has("DENO_WEBGPU_BACKEND")) {
        Deno.env.set("DENO_WEBGPU_BACKEND", "vulkan");
      }
      return await navigator.gpu?.requestAdapter(options) ?? null;
    },
    async requestDevice(adapter, requiredLimits) {
      const requiredFeatures = listed(adapter, ["timestamp-query", "shader-f16"]);
      const features = [...requiredFeatures, hidden];
      const device = await adapter.requestDevice({ requiredFeatures: features, requiredLimits })
        .catch(() => adapter.requestDevice({ requiredFeatures, requiredLimits }));
      // A process that ends while a device works may end in its driver, and with the driver's status. Asking waits.
      globalThis.addEventListener("unload", () => void device.queue.onSubmittedWorkDone().catch(() => {}));
      return device;
    },
    adapterName: ({ description, device }) => description || device || "unknown adapter",
  };
}
