// The workflows as one file for Temporal's sandbox, made here so that no worker of the package spends seconds on it.
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { root } from "../setup/places.mjs";

/** The path of the bundle, which worker/main takes when it is there; undefined when there are no workflows. */
export async function bundleWorkflows(dist) {
  const entry = ["index.js", "workflows.js", "main.js"]
    .map((name) => join(dist, "workflows", name))
    .find((path) => existsSync(path));
  if (entry === undefined) return undefined;
  const { bundleWorkflowCode } = await import("@temporalio/worker");
  const silent = { log() {}, trace() {}, debug() {}, info() {}, warn: console.error, error: console.error };
  const { code } = await bundleWorkflowCode({ workflowsPath: entry, logger: silent });
  const path = join(dist, "workflows.bundle.js");
  await writeFile(path, withoutPlaces(code));
  return path;
}

/** The bundle names its modules, in its code and its source map, by where they lie on this machine. */
function withoutPlaces(code) {
  const mark = "sourceMappingURL=data:application/json;charset=utf-8;base64,";
  const at = code.lastIndexOf(mark);
  if (at === -1) return code.replaceAll(root, "/rekey");
  const [encoded] = /^[A-Za-z0-9+/=]*/.exec(code.slice(at + mark.length));
  const map = Buffer.from(encoded, "base64").toString("utf8").replaceAll(root, "/rekey");
  const tail = code.slice(at + mark.length + encoded.length);
  return code.slice(0, at).replaceAll(root, "/rekey") + mark + Buffer.from(map).toString("base64") + tail;
}
