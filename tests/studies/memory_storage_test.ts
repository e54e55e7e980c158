import { MemoryStorage } from "../../src/studies/memory_storage.ts";
import { testStorage } from "./storage_contract.ts";

testStorage("MemoryStorage", () => ({
  open: () => Promise.resolve(new MemoryStorage()),
  reopen: null,
  dispose: () => Promise.resolve(),
}));
