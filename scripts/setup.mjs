#!/usr/bin/env node
// Gets everything that `npm run demo` and `npm test` need, once: packages, Node 24, PostgreSQL's binaries, the Temporal
// dev server. Runs on Node 20 or newer before any package is there, so it uses none. May be stopped and run again at any
// point, and by two at once. Options: --servers gets the real servers too that other tests run against;
// --only=packages,node,postgres,temporal or those servers, one or some, --cache=<folder>; with --only=temporal or one of
// those servers, --where prints where the program lies, --where=found too but gets nothing.
import { kubernetes } from "./setup/kubernetes.mjs";
import { moto } from "./setup/moto.mjs";
import { node24 } from "./setup/node.mjs";
import { packages } from "./setup/packages.mjs";
import { isAsked, only, wantsServers } from "./setup/places.mjs";
import { postgres } from "./setup/postgres.mjs";
import { Missing, say, seconds, stopOnSignals, stopped } from "./setup/run.mjs";
import { temporal } from "./setup/temporal.mjs";
import { temporalServer } from "./setup/temporal-server.mjs";
import { vault } from "./setup/vault.mjs";

const began = performance.now();
const servers = { kubernetes, vault, moto, "temporal-server": temporalServer };
const steps = { packages, node: node24, postgres, temporal, ...servers };

async function setUp() {
  if (process.platform === "win32") throw new Missing("rekey runs on Linux and macOS. On Windows use it inside WSL.");
  if (Number(process.versions.node.split(".")[0]) < 20)
    throw new Missing(`Node ${process.versions.node} is too old. Install Node 20 or newer, then try again.`);
  const wanted = only?.split(",");
  for (const name of wanted ?? [])
    if (steps[name] === undefined)
      throw new Missing(`There is no step '${name}'. The steps are ${Object.keys(steps).join(", ")}.`);
  for (const [name, step] of Object.entries(steps)) {
    if (wanted === undefined ? name in servers && !wantsServers : !wanted.includes(name)) continue;
    const path = await step();
    if (isAsked && path !== undefined) console.log(path);
  }
}

stopOnSignals();
try {
  await setUp();
  if (performance.now() - began > 1500) say(`everything is ready after ${seconds(began)}`);
} catch (error) {
  if (stopped.signal.aborted) {
    say("stopped. Run it again to go on.");
  } else {
    say(error instanceof Missing ? error.message : `it failed: ${error.message}. Run 'node scripts/setup.mjs' again.`);
    process.exitCode = 1;
  }
}
