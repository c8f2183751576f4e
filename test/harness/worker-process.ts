// A worker as a process of its own, so that a test can kill it. The first argument is a file with bundled workflows; with
// `prepared` as the second it takes no work before it is told to.
import { once } from "node:events";
import { flushCompileCache } from "node:module";
import { Worker } from "@temporalio/worker";
import { armFailpoint } from "../../activities/failpoint.ts";
import { readSettings } from "../../settings.ts";
import { catalog } from "../../providers/catalog.ts";
import { startWorker } from "../../worker/main.ts";
import { hastenAccessKeys } from "./aws-keys.ts";
import { fakeSecret } from "./fake-cluster.ts";
import { addMintedKinds } from "./minting/issuer.ts";

// A call that is on its way cannot be called back: such a worker goes on with a step that was cancelled.
if (process.env["DEAF"] === "yes") AbortSignal.any = () => new AbortController().signal;
// All its slots for routine steps are taken by work that takes long: as for whoever waits there, nobody is at that queue.
if (process.env["WORLD_ROUTINE"] === "full") {
  const create = Worker.create.bind(Worker);
  Worker.create = async (options) =>
    create(options.taskQueue === "rekey.default" ? { ...options, taskQueue: "nowhere" } : options);
}
// AWS is behind itself for seconds; its stand-in is quicker.
const awsLagMs = Number(process.env["WORLD_AWS_LAG_MS"] ?? Number.NaN);
if (!Number.isNaN(awsLagMs)) hastenAccessKeys(awsLagMs);
Object.assign(catalog.consumers, { [fakeSecret.kind]: fakeSecret });
addMintedKinds();
// One that is killed writes nothing at its end.
flushCompileCache();
if (process.argv[3] === "prepared") await once(process, "message");
const { WORLD_SILENT_MS: silentMs, WORLD_SCHEDULE_MS: scheduleMs } = process.env;
const worker = await startWorker(readSettings(), process.argv[2], {
  ...(silentMs === undefined ? {} : { silentMs: Number(silentMs) }),
  ...(scheduleMs === undefined ? {} : { scheduleMs: Number(scheduleMs) }),
});
process.on("SIGTERM", () => worker.stop());
process.on("message", ({ failpoint }: { readonly failpoint: string }) => {
  armFailpoint(failpoint);
  process.send?.("armed");
});
process.send?.("ready");
await worker.ended;
process.disconnect?.();
