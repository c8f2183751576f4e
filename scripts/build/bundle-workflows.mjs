// The workflows as one file for Temporal's sandbox, made here so that no worker of the package spends seconds on it.
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { root } from "../setup/places.mjs";

/** Writes dist/workflows.bundle.js, which worker/main takes when it is there. False when there are no workflows. */
export async function bundleWorkflows(dist) {
  const workflowsPath = join(dist, "workflows", "workflows.js");
  if (!existsSync(workflowsPath)) return false;
  const { bundleWorkflowCode } = await import("@temporalio/worker");
  const silent = { log() {}, trace() {}, debug() {}, info() {}, warn: console.error, error: console.error };
  // The guard of payloads runs inside the sandbox too: a bundle without it would let anything into a history.
  const payloadConverterPath = join(dist, "workflows", "payload-guard.js");
  const { code } = await bundleWorkflowCode({ workflowsPath, payloadConverterPath, logger: silent });
  await writeFile(join(dist, "workflows.bundle.js"), withoutPlaces(code));
  return true;
}

const mark = "sourceMappingURL=data:application/json;charset=utf-8;base64,";

/** The bundle names its modules, in its code and its source map, by where they lie on this machine. @public */
export function withoutPlaces(code, place = root) {
  const at = code.lastIndexOf(mark);
  if (at === -1) return code.replaceAll(place, "/rekey");
  const [encoded] = /^[A-Za-z0-9+/=]*/.exec(code.slice(at + mark.length));
  const map = Buffer.from(encoded, "base64").toString("utf8").replaceAll(place, "/rekey");
  const tail = code.slice(at + mark.length + encoded.length);
  return code.slice(0, at).replaceAll(place, "/rekey") + mark + Buffer.from(map).toString("base64") + tail;
}
