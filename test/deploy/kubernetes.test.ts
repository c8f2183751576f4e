import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { withKubernetes } from "../harness/with-kubernetes.ts";
import { openSecrets, unknownSettings, wrongCommand } from "./settings-names.ts";

interface Mount {
  readonly name: string;
  readonly mountPath: string;
}

interface Container {
  readonly name: string;
  readonly args: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly envFrom?: readonly { readonly configMapRef: { readonly name: string } }[];
  readonly securityContext?: unknown;
  readonly volumeMounts: readonly Mount[];
}

interface PodSpec {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly securityContext?: unknown;
  readonly volumes: readonly { readonly name: string }[];
}

interface KubeDocument {
  readonly kind: string;
  readonly apiVersion: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: { readonly replicas?: number; readonly template?: { readonly spec: PodSpec } };
}

const file = join(import.meta.dirname, "..", "..", "deploy", "kubernetes", "rekey.yaml");
const documents = parseAllDocuments(readFileSync(file, "utf8")).map((each) => {
  if (each.errors.length > 0) throw new Error(String(each.errors[0]));
  return each.toJS() as KubeDocument;
});
const pods = documents.flatMap(({ spec, metadata }) =>
  spec?.template === undefined ? [] : [{ name: metadata.name, ...spec.template.spec }],
);
const settings = documents.find(({ kind }) => kind === "ConfigMap")?.data ?? {};
const containersOf = ({ containers, initContainers = [] }: PodSpec) => [...initContainers, ...containers];
const environmentOf = ({ env = [], envFrom = [] }: Container): Readonly<Record<string, string>> => ({
  ...(envFrom.length > 0 ? settings : {}),
  ...Object.fromEntries(env.map(({ name, value }) => [name, value])),
});

describe("the manifests for Kubernetes", () => {
  it("hold the API, two workers, a migration and what keeps one of each running", () => {
    expect(documents.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
      ...[
        "Namespace rekey",
        "ConfigMap rekey-settings",
        "Job rekey-migrate",
        "Deployment rekey-serve",
        "Service rekey",
      ],
      ...["Deployment rekey-worker", "PodDisruptionBudget rekey-serve", "PodDisruptionBudget rekey-worker"],
    ]);
    expect(documents.find(({ metadata }) => metadata.name === "rekey-worker")?.spec?.replicas).toBe(2);
  });

  it("run commands that there are, by settings that there are, and no secret among them", async () => {
    for (const pod of pods)
      for (const container of containersOf(pod)) {
        const words = container.args.filter((word) => !/^\d+m$/.test(word) && word !== "rekey");
        expect(await wrongCommand(words), container.name).toBeUndefined();
        const names = Object.keys(environmentOf(container));
        expect(unknownSettings(names)).toEqual([]);
        expect(openSecrets(names)).toEqual([]);
        expect(names).toContain("DATABASE_URL_FILE");
      }
  });

  it("mount every file that a setting names", () => {
    for (const pod of pods)
      for (const container of containersOf(pod)) {
        const files = Object.entries(environmentOf(container)).filter(([name]) => name.endsWith("_FILE"));
        for (const [name, path] of files) {
          const mount = container.volumeMounts.find(
            ({ mountPath }) => path === mountPath || path.startsWith(`${mountPath}/`),
          );
          expect(mount, `${container.name} ${name}`).toBeDefined();
          expect(pod.volumes.map((volume) => volume.name)).toContain(mount?.name);
        }
      }
  });

  it("run as nobody who could do more", () => {
    expect(pods).toHaveLength(3);
    for (const pod of pods) {
      expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, fsGroup: 1200 });
      for (const { name, securityContext } of containersOf(pod))
        expect(securityContext, `${pod.name} ${name}`).toMatchObject({
          ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } },
        });
    }
  });
});

describe("a real API server", () => {
  const kube = withKubernetes();
  const groups: Readonly<Record<string, string>> = {
    ConfigMap: "configmaps",
    Job: "jobs",
    Deployment: "deployments",
    Service: "services",
    PodDisruptionBudget: "poddisruptionbudgets",
  };

  it("takes each of them as it is, and no field that it does not know", async () => {
    const strict = "fieldValidation=Strict";
    for (const one of documents) {
      const root = one.apiVersion.includes("/") ? `/apis/${one.apiVersion}` : `/api/${one.apiVersion}`;
      // The others are only tried: they need it to be there.
      const path =
        one.kind === "Namespace"
          ? `${root}/namespaces?${strict}`
          : `${root}/namespaces/rekey/${groups[one.kind]}?dryRun=All&${strict}`;
      await kube().must("POST", path, one);
    }
    const [job] = documents.filter(({ kind }) => kind === "Job");
    const wrong = { ...job, spec: { ...job?.spec, backOffLimit: 3 } };
    const refused = await kube().call("POST", `/apis/batch/v1/namespaces/rekey/jobs?dryRun=All&${strict}`, wrong);
    expect(refused.status).toBe(400);
  });
});
