/** Tensors that do not lie in row-major order in their file: views, such as a transposed one. */

/** A view of a storage: element (i, j, …) is the storage's element `offset` + i·strides[0] + j·strides[1] + …. */
export interface StridedView {
  shape: readonly number[];
  strides: readonly number[];
  offset: number;
}

interface Axis {
  size: number;
  /** Elements of the storage, and of the row-major data, from one index to the next. */
  stride: number;
  step: number;
}

/** Axes that have more than one index, with row-major steps. */
function axesOf({ shape, strides }: StridedView): Axis[] {
  const axes: Axis[] = [];
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1) axes.unshift({ size: shape[i], stride: strides[i], step });
    step *= shape[i];
  }
  return axes;
}

/** Whether the elements lie one after another in row-major order. */
export const isContiguous = (view: StridedView): boolean =>
  axesOf(view).every(({ size, stride, step }) => stride === step || size === 0);

/** One more than the last element of the storage that a view reaches; 0 for an empty view. */
export function reach({ shape, strides, offset }: StridedView): number {
  if (shape.includes(0)) return 0;
  return shape.reduce((last, size, i) => last + (size - 1) * strides[i], offset) + 1;
}

/** Elements of the storage that are read at a time. */
const SPAN = 1 << 14;

type Elements = Uint8Array | Uint16Array | Uint32Array | BigUint64Array;

const elementsOf = (bytes: Uint8Array<ArrayBuffer>, elementBytes: number): Elements => {
  if (elementBytes === 1) return bytes;
  if (elementBytes === 2) return new Uint16Array(bytes.buffer);
  return elementBytes === 4 ? new Uint32Array(bytes.buffer) : new BigUint64Array(bytes.buffer);
};

/**
 * The bytes of elements `begin` … `begin + count` of a view's row-major data. They are visited in the storage's order,
 * so that reading is sequential and never holds more than a span; `read` reads `length` elements of the storage.
 */
export function readStrided(
  view: StridedView,
  { begin, count, elementBytes, storageElements }: {
    begin: number;
    count: number;
    elementBytes: number;
    storageElements: number;
  },
  read: (start: number, length: number) => Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(count * elementBytes);
  if (count === 0) return result;
  const target = elementsOf(result, elementBytes);
  let span = elementsOf(new Uint8Array(0), elementBytes);
  let spanBegin = 0;
  const copy = (position: number, element: number) => {
    if (element < begin || element >= begin + count) return;
    if (position < spanBegin || position >= spanBegin + span.length) {
      spanBegin = position;
      span = elementsOf(read(position, Math.min(SPAN, storageElements - position)), elementBytes);
    }
    target[element - begin] = span[position - spanBegin];
  };

  const axes = axesOf(view);
  let { offset } = view;
  let first = 0;
  if (axes.length > 0) {
    // Only the rows that the window touches.
    const { step, stride } = axes[0];
    const row = Math.floor(begin / step);
    axes[0] = { ...axes[0], size: Math.ceil((begin + count) / step) - row };
    offset += row * stride;
    first = row * step;
  }
  axes.sort((a, b) => b.stride - a.stride);
  const inner = axes.pop() ?? { size: 1, stride: 0, step: 0 };
  const index = axes.map(() => 0);
  for (;;) {
    for (let i = 0; i < inner.size; i++) copy(offset + i * inner.stride, first + i * inner.step);
    let axis = axes.length - 1;
    while (axis >= 0 && index[axis] + 1 === axes[axis].size) {
      offset -= index[axis] * axes[axis].stride;
      first -= index[axis] * axes[axis].step;
      index[axis--] = 0;
    }
    if (axis < 0) return result;
    index[axis]++;
    offset += axes[axis].stride;
    first += axes[axis].step;
  }
}
