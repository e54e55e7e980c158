/** Deno's own WebGPU: wgpu, with naga for a compiler. */
import { type Backend, listed } from "./backend.ts";

export function denoBackend(): Backend {
  return {
    name: "deno",
    BufferUsage: GPUBufferUsage,
    MapMode: GPUMapMode,
    OutOfMemoryError: GPUOutOfMemoryError,
    noAdapter:
      "no WebGPU adapter: install a Vulkan driver for your GPU, or the software one (Debian/Ubuntu: apt-get install libvulkan1 mesa-vulkan-drivers)",
    async requestAdapter(options) {
      // Elsewhere than Vulkan (an OpenGL driver, say) nothing has been tried. Read once, when the first adapter is asked for.
      if (Deno.build.os === "linux" && !Deno.env.has("DENO_WEBGPU_BACKEND")) {
        Deno.env.set("DENO_WEBGPU_BACKEND", "vulkan");
      }
      return await navigator.gpu?.requestAdapter(options) ?? null;
    },
    async requestDevice(adapter, requiredLimits) {
      const requiredFeatures = listed(adapter, ["timestamp-query", "shader-f16"]);
      try {
        // Granted where the driver has them, though no adapter lists them.
        return await adapter.requestDevice({ requiredFeatures: [...requiredFeatures, "subgroups"], requiredLimits });
      } catch {
        return await adapter.requestDevice({ requiredFeatures, requiredLimits });
      }
    },
    subgroupsDirective: "", // Naga knows the operations without it, and refuses it.
    adapterName: ({ description, device }) => description || device || "unknown adapter",
  };
}
