/** `./entail` in a process of its own, with what it took. Linux only: the figures are those of /proc. */
import { fileURLToPath } from "node:url";

export interface Watched {
  /** Of processor time. */
  cpuSeconds: number;
  wallSeconds: number;
  /** The most memory of the host that it held at once; a software adapter's device memory is part of it. */
  peakBytes: number;
}

const ENTAIL = fileURLToPath(new URL("../../entail", import.meta.url));
const SAMPLE_MS = 200;
/** Of the kernel's clock in /proc; getconf CLK_TCK. */
const TICKS_PER_SECOND = 100;

/** What a process has taken so far; null where it has ended. */
export function sample(pid: number): { cpuSeconds: number; peakBytes: number } | null {
  try {
    const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /s, "").split(" ");
    const peak = /VmHWM:\s+(\d+) kB/.exec(Deno.readTextFileSync(`/proc/${pid}/status`));
    return peak && {
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
      peakBytes: Number(peak[1]) * 1024,
    };
  } catch {
    return null;
  }
}

/** Runs `./entail` with these arguments and shows what it says on the way. Throws where it fails. */
export async function watched(args: readonly string[], env: Record<string, string> = {}): Promise<Watched> {
  const began = performance.now();
  const child = new Deno.Command(ENTAIL, { args: [...args], env, stdin: "null", stdout: "null", stderr: "inherit" })
    .spawn();
  let last = { cpuSeconds: 0, peakBytes: 0 };
  const timer = setInterval(() => last = sample(child.pid) ?? last, SAMPLE_MS);
  const { success, code } = await child.status;
  clearInterval(timer);
  if (!success) throw new Error(`entail ${args[0]} ended with status ${code}`);
  return { ...last, wallSeconds: (performance.now() - began) / 1000 };
}
