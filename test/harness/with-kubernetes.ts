import { afterAll, beforeAll, beforeEach } from "vitest";
import { hasKubernetes, noKubernetes, startKubernetes, type Kubernetes } from "./kubernetes.ts";
import { needs } from "./needs.ts";

/** One cluster for a test file; its tests are skipped, with the reason, where there are no servers. */
export function withKubernetes(): () => Kubernetes {
  let kube: Kubernetes | undefined;
  beforeAll(async () => {
    if (hasKubernetes) kube = await startKubernetes();
  }, 180_000);
  beforeEach((context) => needs(context, hasKubernetes, noKubernetes));
  afterAll(() => kube?.stop());
  return () => {
    if (kube === undefined) throw new Error(noKubernetes);
    return kube;
  };
}
