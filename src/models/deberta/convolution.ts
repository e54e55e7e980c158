/**
 * DeBERTa-v2's convolution: beside the first layer, over the embeddings, added to that layer's output. As transformers'
 * `ConvLayer`: y = LayerNorm(residual + act(dropout(conv(x)))).
 */
import type { Tensor } from "../../gpu/tensor.ts";
import { convolutionBackward, convolutionForward } from "../../nn/convolution.ts";
import { dropoutBackward, dropoutForward } from "../../nn/dropout.ts";
import { geluBackward, geluForward } from "../../nn/gelu.ts";
import type { Plan, Rows } from "../../nn/plan.ts";
import { tanhBackward, tanhForward } from "../../nn/tanh.ts";
import type { ParameterCollector } from "../collector.ts";
import { addNorm, addNormBackward, type Normed } from "../layer.ts";
import { dropoutSite, type Scope, type TrainingScope } from "../scope.ts";
import type { ConvAct, DebertaConfig } from "./config.ts";

const NAME = "deberta.encoder.conv";

interface Activation {
  forward(plan: Plan, tensors: { x: Tensor; y: Tensor }, sizes: { rows: Rows; columns: number }): void;
  backward(
    plan: Plan,
    tensors: { x: Tensor; y: Tensor; dy: Tensor; dx: Tensor },
    sizes: { rows: Rows; columns: number },
  ): void;
}

const ACTIVATIONS: Readonly<Record<ConvAct, Activation>> = {
  tanh: { forward: tanhForward, backward: tanhBackward },
  gelu: {
    forward: (plan, { x, y }, sizes) => geluForward(plan, { preActivation: x, y }, sizes),
    backward: (plan, { x, dy, dx }, sizes) => geluBackward(plan, { preActivation: x, dy, dx }, sizes),
  },
};

export function convolutionParameters({ add, layerNorm }: ParameterCollector, config: DebertaConfig): void {
  const { hiddenSize, convGroups, convKernelSize } = config;
  add(`${NAME}.conv.weight`, [hiddenSize, hiddenSize / convGroups, convKernelSize]);
  add(`${NAME}.conv.bias`, [hiddenSize], { decay: false });
  layerNorm(`${NAME}.LayerNorm`, hiddenSize);
}

export interface ConvolutionPass {
  readonly output: Normed;
  /**
   * Adds to the gradients of its parameters; `dResidual` is that of the residual, and `addInput` adds that of x to what
   * the residual's own backward has made of it.
   */
  backward(scope: TrainingScope, dy: Tensor): { dResidual: Tensor; addInput(dx: Tensor): void };
}

export function convolutionLayer(scope: Scope<DebertaConfig>, x: Tensor, residual: Tensor): ConvolutionPass {
  const { plan, config, parameters, batch, dropout } = scope;
  const { tokens: rows } = batch;
  const columns = config.hiddenSize;
  const shape = [rows.capacity, columns];
  const sizes = { rows, channels: columns, size: config.convKernelSize, groups: config.convGroups };
  const activation = ACTIVATIONS[config.convAct];
  const site = dropoutSite.convolution(config.numHiddenLayers);

  const convolved = plan.activation("convolved", shape);
  const weight = parameters.value(`${NAME}.conv.weight`);
  const bias = parameters.value(`${NAME}.conv.bias`);
  const kept = convolutionForward(plan, { ...batch, x, weight, bias, y: convolved }, sizes);
  let dropped = convolved;
  if (dropout) {
    dropped = plan.activation("dropped convolution", shape);
    dropoutForward(plan, { x: convolved, dropout: dropout.hidden, y: dropped }, { rows, columns, site });
  }
  const activated = plan.activation("activated convolution", shape);
  activation.forward(plan, { x: dropped, y: activated }, { rows, columns });
  const norm = `${NAME}.LayerNorm`;
  const output = addNorm(scope, norm, activated, residual, null);

  return {
    output,
    backward(scope, dy) {
      const { plan, parameters, batch, dropout } = scope;
      const dResidual = plan.activation("d convolution residual", shape);
      addNormBackward(scope, norm, { dy, kept: output.kept, dx: dResidual, site: null });
      // Its input are the embeddings, which are frozen where it is.
      if (!parameters.isTrainable(`${NAME}.conv.weight`)) return { dResidual, addInput() {} };
      const dDropped = plan.activation("d dropped convolution", shape);
      const activations = { x: dropped, y: activated, dy: dResidual, dx: dDropped };
      activation.backward(plan, activations, { rows, columns });
      const dConvolved = plan.activation("d convolved", shape);
      dropoutBackward(plan, { dy: dDropped, dropout: dropout.hidden, dx: dConvolved }, { rows, columns, site });
      const addInput = (dx: Tensor) =>
        convolutionBackward(plan, {
          ...batch,
          ...kept,
          dy: dConvolved,
          dx,
          dWeight: parameters.gradient(`${NAME}.conv.weight`),
          dBias: parameters.gradient(`${NAME}.conv.bias`),
        }, sizes);
      return { dResidual, addInput };
    },
  };
}
