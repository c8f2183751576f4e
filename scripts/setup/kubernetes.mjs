// The servers of Kubernetes that tests run against: etcd of the system, API server and controllers built with Go.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { build, fillOnce, pinnedVersion, placeOf } from "./go-program.mjs";
import { mayGet } from "./places.mjs";
import { Missing, say, seconds, works } from "./run.mjs";

const programs = ["kube-apiserver", "kube-controller-manager"];

/** Returns the folder where the programs lie. */
export async function kubernetes() {
  const version = pinnedVersion("kubernetes", "k8s.io/kubernetes");
  const place = placeOf("kubernetes", version);
  if (!mayGet && !existsSync(place))
    throw new Missing("There is no Kubernetes here. Run 'npm run setup -- --servers'.");
  // Its error says nothing else than that there is none.
  if (!works("etcd", ["--version"])) throw new Missing("There is no etcd. Install it: apt-get install etcd-server.");
  if (existsSync(place)) return place;
  if (!works("go", ["version"]))
    throw new Missing("Kubernetes is built with Go, which is not installed. Install Go 1.26, then run it again.");
  const from = performance.now();
  say(`Kubernetes ${version}: building it with Go, which takes about four minutes the first time`);
  await fillOnce(place, async (side) => {
    for (const program of programs)
      await build("kubernetes", `k8s.io/kubernetes/cmd/${program}`, join(side, program), {
        note: `building ${program}`,
        failed: (error) => new Missing(`${program} could not be built (${error.message}). Run it again to see why.`),
      });
  });
  say(`Kubernetes ${version} ready after ${seconds(from)}`);
  return place;
}
