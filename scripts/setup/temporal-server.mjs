// Temporal's own server, which stores in PostgreSQL, and the program that makes its schema: tests run rekey against it as
// in production. Built with Go.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { build, fillOnce, pinnedVersion, placeOf } from "./go-program.mjs";
import { mayGet } from "./places.mjs";
import { Missing, say, seconds, works } from "./run.mjs";

/** What each is called here: `server` and `sql` say too little. */
const programs = { "temporal-server": "cmd/server", "temporal-sql-tool": "cmd/tools/sql" };

/** Returns the folder where the programs lie. */
export async function temporalServer() {
  const version = pinnedVersion("temporal-server", "go.temporal.io/server");
  const place = placeOf("temporal-server", version);
  if (existsSync(place)) return place;
  if (!mayGet) throw new Missing("There is no Temporal server for PostgreSQL here. Run 'npm run setup -- --servers'.");
  if (!works("go", ["version"]))
    throw new Missing(
      "Temporal's server is built with Go, which is not installed. Install Go 1.26, then run it again.",
    );
  const from = performance.now();
  say(`Temporal's server ${version}: building it with Go, which takes about two minutes the first time`);
  await fillOnce(place, async (side) => {
    for (const [program, path] of Object.entries(programs))
      await build("temporal-server", `go.temporal.io/server/${path}`, join(side, program), {
        note: `building ${program}`,
        failed: (error) => new Missing(`${program} could not be built (${error.message}). Run it again to see why.`),
      });
  });
  say(`Temporal's server ${version} ready after ${seconds(from)}`);
  return place;
}
