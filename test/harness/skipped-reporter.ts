import type { Reporter, TestModule } from "vitest/node";

/** Says at the end why tests were skipped: each reason once, with how many it was. */
export default class SkippedReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = new Map<string, number>();
    for (const module of modules) {
      for (const test of module.children.allTests("skipped")) {
        const result = test.result();
        // What a filter on names leaves out is skipped too, and nobody asks why.
        if (test.options.mode === "skip" && result.state === "skipped" && result.note === undefined) continue;
        const reason = (result.state === "skipped" ? result.note : undefined) ?? `no reason: ${test.fullName}`;
        counts.set(reason, (counts.get(reason) ?? 0) + 1);
      }
    }
    const lines = [...counts].toSorted(([, a], [, b]) => b - a).map(([reason, count]) => `  ${count} × ${reason}\n`);
    if (lines.length > 0) process.stdout.write(`\nSkipped, and why:\n${lines.join("")}`);
  }
}
