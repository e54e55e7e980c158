/** TensorFlow.js with its WebGPU backend as a contestant. */
import "./device_clock.ts";
import { operandsOf, operandValues, type ProductJob } from "./job.ts";
import { productsOnly, serve } from "./serve.ts";

const VERSION = "4.22.0";

await serve(async () => {
  const tf = await import(`npm:@tensorflow/tfjs-core@${VERSION}`);
  await import(`npm:@tensorflow/tfjs-backend-webgpu@${VERSION}`); // registers itself
  await tf.setBackend("webgpu");
  if (tf.getBackend() !== "webgpu") throw new Error(`tfjs chose ${tf.getBackend()}`);
  return {
    name: `tfjs-webgpu ${VERSION}`,
    prepare: productsOnly((job: ProductJob) => {
      const { a, b, transposeA, transposeB } = operandsOf(job);
      const [left, right] = [tf.tensor2d(operandValues("a", a), a), tf.tensor2d(operandValues("b", b), b)];
      const compute = () => tf.matMul(left, right, transposeA, transposeB);
      return Promise.resolve({
        async run(times) {
          for (let i = 1; i < times; i++) compute().dispose();
          const last = compute();
          // Reading some of its results is the only wait that covers what tfjs records and submits later.
          const corner = tf.slice(last, [0, 0], [1, 4]);
          await corner.data();
          corner.dispose();
          last.dispose();
        },
        result: () => compute().data(),
        release: () => tf.dispose([left, right]),
      });
    }),
  };
});
