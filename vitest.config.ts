import { globSync, readFileSync } from "node:fs";
import { defineConfig } from "vitest/config";

const exclude = ["node_modules/**", ".stryker-tmp/**", "dist/**"];
const files = globSync("**/*.test.ts", { exclude });

/** A test that starts a server says so by what it imports. The others also run in `npm run check`. */
const startsServer = (file: string): boolean =>
  !/^test\/(?:architecture|sabotage)\//.test(file) &&
  (/^(?:embedded|scripts|demo|test)\//.test(file) ||
    /(?:harness|embedded)\/|@temporalio\/testing|node:child_process/.test(readFileSync(file, "utf8")));
const replay = files.filter((file) => file.startsWith("test/replay/"));
const servers = files.filter((file) => startsServer(file) && !replay.includes(file));
const unit = files.filter((file) => !servers.includes(file) && !replay.includes(file));

export default defineConfig({
  test: {
    exclude,
    reporters: ["default", "./test/harness/skipped-reporter.ts"],
    maxWorkers: 2,
    testTimeout: 180_000,
    hookTimeout: 180_000,
    projects: [
      { extends: true, test: { name: "unit", include: unit } },
      { extends: true, test: { name: "replay", include: replay } },
      { extends: true, test: { name: "servers", include: servers } },
    ],
  },
});
