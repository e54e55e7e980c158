/** jax-js as a contestant. Its array functions take their arguments over: `.ref` keeps one. */
import "./device_clock.ts";
import { operandsOf, operandValues, type ProductJob } from "./job.ts";
import { productsOnly, serve } from "./serve.ts";

const VERSION = "0.1.25";
/** Results held at a time. */
const AHEAD = 8;

await serve(async () => {
  const { init, numpy, defaultDevice, blockUntilReady } = await import(`npm:@jax-js/jax@${VERSION}`);
  await init("webgpu");
  defaultDevice("webgpu");
  return {
    name: `jax-js ${VERSION}`,
    prepare: productsOnly(async (job: ProductJob) => {
      const { a, b, transposeA, transposeB } = operandsOf(job);
      const left = numpy.array(operandValues("a", a), { shape: a });
      const right = numpy.array(operandValues("b", b), { shape: b });
      await blockUntilReady([left, right]);
      const compute = () =>
        numpy.matmul(
          transposeA ? numpy.transpose(left.ref) : left.ref,
          transposeB ? numpy.transpose(right.ref) : right.ref,
        );
      return {
        async run(times) {
          for (let done = 0; done < times; done += AHEAD) {
            const results = Array.from({ length: Math.min(AHEAD, times - done) }, compute);
            await blockUntilReady(results);
            for (const result of results) result.dispose();
          }
        },
        result: () => compute().data(),
        release() {
          left.dispose();
          right.dispose();
        },
      };
    }),
  };
});
