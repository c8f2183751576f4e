/** A change of the source that makes rekey wrong in one way, and the suites that have to notice it. */
export interface Sabotage {
  readonly name: string;
  readonly edits: readonly Edit[];
  /** Each has to fail: the arguments of node. */
  readonly caughtBy: readonly (readonly string[])[];
}

interface Edit {
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly put: string;
}

/** What a fault keeps waiting is caught too, and sooner than elsewhere. */
const patience = ["--testTimeout=90000", "--hookTimeout=60000"];
export const tests = (...files: readonly string[]) => ["node_modules/vitest/vitest.mjs", "run", ...files, ...patience];
export const named = (file: string, name: string) => [...tests(file), "-t", name];
export const crash = (...names: readonly string[]) => [
  "test/faults/matrix.ts",
  ...names.flatMap((name) => ["--only", name]),
];
