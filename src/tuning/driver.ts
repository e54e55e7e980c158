/** Which driver an adapter has. WebGPU does not tell, and a new one can turn around which kernel is the fastest. */
import { join } from "node:path";

const MANIFESTS = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"];
const LIBRARIES = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];

/**
 * What says of a driver that it is another one: the manifests by which Vulkan finds the drivers of this machine, with
 * sizes and times of the libraries that they name. Empty where there are none, as outside Linux.
 */
export function driverFingerprint(env: (name: string) => string | undefined = Deno.env.get): string {
  const named = env("VK_DRIVER_FILES") || env("VK_ICD_FILENAMES");
  const manifests = named ? named.split(":") : MANIFESTS.flatMap(manifestsIn);
  return manifests.sort().map((file) => `${file} ${libraryOf(file)}`).join("\n");
}

function manifestsIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".json")).map(({ name }) =>
      join(folder, name)
    );
  } catch {
    return [];
  }
}

function libraryOf(manifest: string): string {
  try {
    const { ICD: { library_path, api_version } } = JSON.parse(Deno.readTextFileSync(manifest));
    const folders = library_path.startsWith("/") ? [""] : [join(manifest, ".."), ...LIBRARIES];
    const found = folders.map((folder) => statistics(join(folder, library_path))).find((text) => text);
    return `${library_path} ${api_version} ${found ?? ""}`;
  } catch {
    return "";
  }
}

function statistics(path: string): string | null {
  try {
    const { size, mtime } = Deno.statSync(path);
    return `${size} ${mtime?.getTime()}`;
  } catch {
    return null;
  }
}
