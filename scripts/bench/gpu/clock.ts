/** The clock of an NVIDIA card, which it lowers within seconds when it has nothing to do. */
import { median } from "../../../src/tuning/median.ts";
import { output, type Part } from "../parts.ts";

/** Keeps a CUDA context open until this process ends, which keeps the clock up; false where there is no CUDA. */
export function holdClock(): boolean {
  try {
    const cuda = Deno.dlopen("libcuda.so.1", {
      cuInit: { parameters: ["u32"], result: "i32" },
      cuDeviceGet: { parameters: ["buffer", "i32"], result: "i32" },
      cuDevicePrimaryCtxRetain: { parameters: ["buffer", "i32"], result: "i32" },
    });
    const device = new Int32Array(1);
    const context = new BigUint64Array(1);
    const { cuInit, cuDeviceGet, cuDevicePrimaryCtxRetain } = cuda.symbols;
    return cuInit(0) === 0 && cuDeviceGet(device, 0) === 0 && cuDevicePrimaryCtxRetain(context, device[0]) === 0;
  } catch {
    return false;
  }
}

export const smi = (what: string): Promise<string | null> =>
  output(["nvidia-smi", `--query-gpu=${what}`, "--format=csv,noheader,nounits", "--id=0"], 5000).then(
    (text) => text.trim(),
    () => null,
  );

/** The part, with a note of the clock that the card had meanwhile (the median of readings) where it can be read. */
export function withClock(part: Part): Part {
  return {
    ...part,
    async measure(limitMs) {
      const readings: number[] = [];
      const read = async () => {
        const text = await smi("clocks.sm");
        if (text && Number(text) > 0) readings.push(Number(text));
      };
      const timer = setInterval(read, 1500);
      try {
        const rows = await part.measure(limitMs);
        const clock = readings.length ? `SM ${median(readings)} MHz` : "";
        return rows.map((row) => ({ ...row, note: [row.note, clock].filter((text) => text).join(", ") }));
      } finally {
        clearInterval(timer);
      }
    },
  };
}
