import assert from "node:assert/strict";
import { createProgram, planMemory } from "../../src/gpu/program.ts";

Deno.test("planMemory: tensors whose lifetimes do not overlap share a buffer", () => {
  const program = createProgram<null>("test");
  const [a, b, c] = ["a", "b", "c"].map((label) => program.transient(label, [256]));
  const kept = program.result("kept", [64]);
  program.copy(a, b);
  program.copy(b, c);
  program.copy(c, kept);
  const plan = planMemory([program]);
  assert.equal(plan.bytes, 2 * 1024); // kept takes over the room of b
  const slotOf = (tensor: unknown) => plan.slots.findIndex((slot) => slot.tensors.some((other) => other === tensor));
  assert.equal(slotOf(a), slotOf(c));
  assert.notEqual(slotOf(a), slotOf(b));
});

Deno.test("planMemory: programs that run in turn share memory, but nobody takes a result's", () => {
  const first = createProgram<null>("first");
  const second = createProgram<null>("second");
  const result = first.result("result", [64]);
  first.copy(first.transient("a", [64]), result);
  second.copy(second.transient("b", [64]), second.transient("c", [64]));
  assert.equal(planMemory([first, second]).bytes, 3 * 256);
});
