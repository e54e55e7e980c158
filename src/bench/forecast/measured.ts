/**
 * Measured on an H100 with hand-written WGSL, at 1980 MHz, by the device's own clock: what forecasts are held against. The
 * kernels are not all those of this program, so each says what it does.
 */
import { elementBytes } from "../../gpu/dtype.ts";
import type { Work } from "./time.ts";
import { type ProductShape, productWork } from "./work.ts";

export interface Measured {
  what: string;
  ms: number;
  /** What it does, one dispatch after another. */
  works: readonly Work[];
  /** What time.ts takes from it; the others were not looked at. */
  fitted?: string;
}

const TOKENS = 12288;

type Core = ProductShape["core"];
const CORES: Readonly<Record<Core, Pick<ProductShape, "core" | "tile" | "each" | "types">>> = {
  matrices: { core: "matrices", tile: [128, 128, 32], each: [64, 64], types: ["f16", "f16", "f32"] },
  tiles: { core: "tiles", tile: [64, 64, 16], each: [8, 8], types: ["f32", "f32", "f32"] },
};

/** A product and the sum of its shares. */
function productOf(core: Core, [m, n, k]: readonly number[], more: Partial<ProductShape> = {}): Work[] {
  const { shares = 1, batch = 1 } = more;
  const work = productWork({ m, n, k, ...CORES[core], ...more });
  return shares === 1 ? [work] : [work, { bytes: 4 * batch * m * n * (shares + 1) }];
}

/** Inputs, outputs; ms of Y = X·W, dX and dW (in so many shares), on matrix units and with ordinary instructions. */
const LAYERS: readonly {
  layer: readonly [number, number];
  matrices: readonly [y: number, dx: number, dw: number, shares: number];
  tiles: readonly [y: number, dx: number, dw: number, shares: number];
}[] = [
  { layer: [768, 768], matrices: [0.069, 0.069, 0.064, 6], tiles: [0.345, 0.375, 0.420, 8] },
  { layer: [768, 3072], matrices: [0.224, 0.230, 0.225, 3], tiles: [1.344, 1.432, 1.265, 8] },
  { layer: [3072, 768], matrices: [0.251, 0.240, 0.244, 4], tiles: [1.481, 1.503, 1.370, 4] },
  { layer: [1024, 1024], matrices: [0.101, 0.103, 0.089, 4], tiles: [0.668, 0.707, 0.556, 4] },
  { layer: [1024, 4096], matrices: [0.369, 0.360, 0.322, 2], tiles: [2.558, 2.744, 2.236, 2] },
  { layer: [4096, 1024], matrices: [0.344, 0.394, 0.323, 2], tiles: [2.614, 2.710, 2.227, 2] },
];

const layers = LAYERS.flatMap(({ layer: [inputs, outputs], ...times }) =>
  (["matrices", "tiles"] as const).flatMap((core): Measured[] => {
    const [y, dx, dw, shares] = times[core];
    const what = (name: string) => `${name} of ${inputs}→${outputs}, ${TOKENS} tokens, ${core}`;
    return [
      { what: what("Y"), ms: y, works: productOf(core, [TOKENS, outputs, inputs]) },
      { what: what("dX"), ms: dx, works: productOf(core, [TOKENS, inputs, outputs]) },
      { what: what("dW"), ms: dw, works: productOf(core, [inputs, outputs, TOKENS], { shares }) },
    ];
  })
);

/** 24 sequences of 512 tokens, 12 heads of 64; 512 rows of position tables. */
const HEADS = 24 * 12;
const [LENGTH, HEAD_SIZE, BUCKETS] = [512, 64, 512];
const PAIRS = HEADS * LENGTH ** 2;

/** `products` of pairs and elements of a head; `rows` tensors of the heads' rows, `pairs` bytes of each pair. */
function attention(
  core: "matrices" | "tiles",
  { products, rows, pairs = 0, gathers = 0 }: { products: number; rows: number; pairs?: number; gathers?: number },
): Work[] {
  const bytes = elementBytes(core === "matrices" ? "f16" : "f32");
  return [{
    flops: 2 * products * PAIRS * HEAD_SIZE,
    core: core === "matrices" ? "attention on matrices" : "attention",
    perLocalByte: 2 * 32 / 48,
    bytes: rows * HEADS * LENGTH * HEAD_SIZE * bytes + PAIRS * (pairs + gathers * bytes),
    gathers: gathers * PAIRS,
    workgroups: HEADS * LENGTH / 64,
  }];
}

const attentions = (["matrices", "tiles"] as const).flatMap((core): Measured[] => {
  const element = elementBytes(core === "matrices" ? "f16" : "f32");
  const type = core === "matrices" ? "f16" : "f32";
  const types = [type, type, type] as const;
  const ms = (matrices: number, tiles: number) => core === "matrices" ? matrices : tiles;
  const row = (what: string, times: number, works: Work[], fitted?: string): Measured => ({
    what: `${what}, ${core}`,
    ms: times,
    works,
    fitted,
  });
  const gathers = core === "matrices" ? "gathers" : undefined;
  return [
    row("attention forward, plain", ms(0.24, 0.90), attention(core, { products: 2, rows: 4 }), "attention"),
    row("attention forward, gathering", ms(0.41, 1.08), attention(core, { products: 2, rows: 4, gathers: 2 }), gathers),
    row(
      "attention forward, adding a bias",
      ms(0.293, 0.945),
      attention(core, { products: 2, rows: 4, pairs: element }),
    ),
    row("dQuery", ms(0.40, 1.38), attention(core, { products: 3, rows: 5, pairs: 2 * element })),
    row("dQuery, without writing dScores", ms(0.33, 1.35), attention(core, { products: 3, rows: 5, pairs: element })),
    row("dKey and dValue", ms(0.54, 1.80), attention(core, { products: 4, rows: 6, pairs: 2 * element })),
    row(
      "dKey and dValue, without writing dScores",
      ms(0.45, 1.78),
      attention(core, { products: 4, rows: 6, pairs: element }),
    ),
    row(
      "position scores, one product",
      ms(0.106, 0.270),
      productOf(core, [HEADS * LENGTH, BUCKETS, HEAD_SIZE], { types }),
    ),
    row(
      "position gradients of tokens, one product",
      ms(0.084, 0.221),
      productOf(core, [HEADS * LENGTH, HEAD_SIZE, BUCKETS], {
        ...{ types, accumulates: true },
        ...(core === "matrices" && { tile: [64, 64, 32], each: [32, 32] }),
      }),
    ),
    row(
      "position gradients of a table, one product",
      ms(0.070, 0.215),
      productOf(core, [BUCKETS, HEAD_SIZE, TOKENS], {
        ...{ batch: 12, shares: 4, types: [type, type, "f32"] as const },
        ...(core === "matrices" && { tile: [64, 64, 32], each: [32, 32] }),
      }),
    ),
    row("a bias gathered from the position scores", ms(0.185, 0.325), [
      { bytes: PAIRS * 3 * element, gathers: 2 * PAIRS },
    ]),
    row("row sums of dContext · context", ms(0.015, 0.031), [{ bytes: 2 * HEADS * LENGTH * HEAD_SIZE * element }]),
  ];
});

const PARAMETERS = 184 * 1024 * 1000;

/** Everything that the model of a step can express. */
export const MEASURED: readonly Measured[] = [
  {
    what: "8192 × 3072 × 768, matrices",
    ms: 0.1522,
    works: productOf("matrices", [8192, 3072, 768]),
    fitted: "product on matrices",
  },
  {
    what: "8192 × 3072 × 768, tiles",
    ms: 0.909,
    works: productOf("tiles", [8192, 3072, 768]),
    fitted: "product",
  },
  ...layers,
  ...attentions,
  {
    what: "dropout bits of all pairs, Philox with 10 rounds, 16 bits a pair",
    ms: 0.086,
    works: [{ bytes: PAIRS / 8, draws: PAIRS / 8 }],
    fitted: "draws",
  },
  { what: "AdamW of 188 M parameters", ms: 1.76, works: [{ bytes: 28 * PARAMETERS }], fitted: "memory" },
  { what: "AdamW of 188 M parameters with an f16 copy", ms: 1.89, works: [{ bytes: 30 * PARAMETERS }] },
  { what: "LayerNorm(x + r), 12288 × 768, f32", ms: 0.040, works: [{ bytes: 12 * TOKENS * 768 }] },
];
