import { locateTemporal } from "../../embedded/find-temporal.ts";
import { failIfRequired } from "./needs.ts";

const found = await locateTemporal({ chosen: process.env["REKEY_TEMPORAL_BIN"] });
if (found === undefined) {
  const reason = "There is no Temporal dev server here. 'npm run setup' gets it.";
  failIfRequired(reason);
  process.stderr.write(`skipped: ${reason}\n`);
}

/** Whether tests with a real Temporal can run; when not, the reason has been printed. */
export const hasTemporal = found !== undefined;

/** The program; only for tests that run when `hasTemporal`. */
export const temporalProgram = found ?? "temporal";
