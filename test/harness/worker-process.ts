// A worker as a process of its own, so that a test can kill it. The argument is a file with bundled workflows.
import { readSettings } from "../../settings.ts";
import { startWorker } from "../../worker/main.ts";

const worker = await startWorker(readSettings(), process.argv[2]);
process.on("SIGTERM", () => worker.stop());
process.send?.("ready");
await worker.ended;
process.disconnect?.();
