/** ONNX Runtime Web with its WebGPU execution provider as a contestant. */
import "./device_clock.ts";
import { type ForwardJob, operandsOf, operandValues, type ProductJob, tokenIds } from "./job.ts";
import { gemmModel } from "./onnx_model.ts";
import { serve, type Task } from "./serve.ts";

const VERSION = "1.30.0";

await serve(async () => {
  const ort = await import(`npm:onnxruntime-web@${VERSION}/webgpu`);
  ort.env.wasm.numThreads = 1; // more need a page that is isolated
  ort.env.logLevel = "error";
  const open = (model: Uint8Array | string, options = {}) =>
    ort.InferenceSession.create(model, { executionProviders: ["webgpu"], ...options });

  /** Operands and results stay on the device. */
  async function product(job: ProductJob): Promise<Task> {
    const operands = operandsOf(job);
    const session = await open(gemmModel(operands), { preferredOutputLocation: "gpu-buffer" });
    const device: GPUDevice = await ort.env.webgpu.device;
    const buffers = (["a", "b"] as const).map((operand) => {
      const values = operandValues(operand, operands[operand]);
      const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
      const buffer = device.createBuffer({ size: values.byteLength, usage: STORAGE | COPY_SRC | COPY_DST });
      device.queue.writeBuffer(buffer, 0, values as BufferSource);
      return buffer;
    });
    const [a, b] = buffers.map((buffer, i) =>
      ort.Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims: i ? operands.b : operands.a })
    );
    return {
      async run(times) {
        for (let i = 0; i < times; i++) (await session.run({ a, b })).c.dispose();
        await device.queue.onSubmittedWorkDone();
      },
      result: async () => await (await session.run({ a, b })).c.getData(true),
      release() {
        session.release();
        for (const buffer of buffers) buffer.destroy();
      },
    };
  }

  /** As PyTorch has exported it; the results are read back. */
  async function forward(job: ForwardJob): Promise<Task> {
    const model = await Deno.readFile(`${job.folder}/model.onnx`).catch(() => {
      throw new Error("PyTorch has exported no model.onnx: the Python package onnx is needed");
    });
    const session = await open(model);
    const shape = [job.batchSize, job.maxLength];
    const ids = BigInt64Array.from(tokenIds(job), BigInt);
    const inputs = {
      input_ids: new ort.Tensor("int64", ids, shape),
      attention_mask: new ort.Tensor("int64", new BigInt64Array(ids.length).fill(1n), shape),
    };
    const compute = async () => await (await session.run(inputs)).logits.getData();
    return {
      async run(times) {
        for (let i = 0; i < times; i++) await compute();
      },
      result: compute,
      release: () => session.release(),
    };
  }

  return {
    name: `ONNX Runtime Web ${VERSION}`,
    prepare(job) {
      if (job.kind === "step") throw new Error("computes no gradients");
      return job.kind === "product" ? product(job) : forward(job);
    },
  };
});
