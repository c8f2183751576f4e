import { defineConfig } from "vitest/config";

/** Only the tests of domain/: they need no server, so that each mutant costs milliseconds. */
export default defineConfig({ test: { include: ["domain/**/*.test.ts"] } });
