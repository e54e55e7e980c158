/** Finding an adapter: whose WebGPU is used, and why. */
import { EntailError } from "../errors.ts";
import { type AskedBackend, type Backend, type BackendName, kindOf } from "./backend.ts";
import { dawnBackend, isDawnInstalled } from "./dawn.ts";
import { denoBackend } from "./deno.ts";
import { matrixShapeOf } from "./matrix.ts";

export interface FoundAdapter {
  backend: Backend;
  adapter: GPUAdapter;
  /** What `auto` went by; null where the backend was asked for. */
  why: string | null;
}

const BACKENDS: Record<BackendName, () => Backend | Promise<Backend>> = {
  deno: () => denoBackend(),
  dawn: () => dawnBackend(),
};

/** Throws an `EntailError` of kind "adapter" where there is none. */
export async function findAdapter(asked: AskedBackend, options: GPURequestAdapterOptions): Promise<FoundAdapter> {
  if (asked !== "auto") return { ...await adapterOf(await BACKENDS[asked](), options), why: null };
  const dawn = await dawnWithMatrices(options);
  if (typeof dawn !== "string") return { ...dawn, why: "its adapter has tensor cores" };
  return { ...await adapterOf(denoBackend(), options), why: dawn };
}

async function adapterOf(
  backend: Backend,
  options: GPURequestAdapterOptions,
): Promise<{ backend: Backend; adapter: GPUAdapter }> {
  const adapter = await backend.requestAdapter(options);
  if (!adapter) throw new EntailError("adapter", backend.noAdapter);
  return { backend, adapter };
}

/** Dawn where it has tensor cores to offer; else what it lacks. */
async function dawnWithMatrices(
  options: GPURequestAdapterOptions,
): Promise<{ backend: Backend; adapter: GPUAdapter } | string> {
  if (!isDawnInstalled()) return "Dawn is not installed";
  let backend: Backend;
  try {
    backend = await dawnBackend();
  } catch (error) {
    if (error instanceof EntailError) return "Dawn does not load here";
    throw error;
  }
  const adapter = await backend.requestAdapter(options);
  if (!adapter) return "Dawn finds no adapter";
  const { features, info } = adapter;
  return matrixShapeOf({ features }, info, kindOf(info)) ? { backend, adapter } : "Dawn's adapter has no tensor cores";
}
