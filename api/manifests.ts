import { applyManifests, type ApplyPlan, type SentFile } from "../manifests/apply.ts";
import { Secret } from "../providers/contract/secret.ts";
import { manifestJsonSchema } from "../manifests/json-schema.ts";
import { createConnectionSecrets } from "./connection-secrets.ts";
import type { Handlers } from "./deps.ts";
import { ProblemError } from "./problem.ts";
import type { Received } from "./route-table.ts";

export const manifestHandlers: Handlers<"applyManifests" | "showManifestSchema"> = {
  async applyManifests({ body, actor }, { ledger, catalog, ...deps }) {
    const secrets = createConnectionSecrets(deps);
    const request = { files: body.files.map(asFile), actor, planDigest: body.planDigest };
    const answer = await applyManifests({ ledger, catalog, secrets }, request);
    switch (answer.outcome) {
      case "invalid": {
        const [first] = answer.issues;
        const detail = `${answer.issues.length} ${answer.issues.length === 1 ? "mistake" : "mistakes"}, the first in ${first?.file ?? ""} line ${first?.line ?? 0}.`;
        throw new ProblemError("manifest_invalid", detail, answer.issues);
      }
      case "plan-changed":
        throw new ProblemError("plan_changed", "Somebody else has registered something; nothing was applied.");
      case "planned":
      case "applied":
        return { outcome: answer.outcome, digest: answer.plan.digest, items: answer.plan.items.map(asItem) };
    }
  },

  showManifestSchema: (_, { catalog }) => Promise.resolve({ schema: manifestJsonSchema(catalog) }),
};

type BodyFile = Received<"applyManifests">["body"]["files"][number];

/** From here on a secret is a `Secret`. */
function asFile({ name, text, secrets }: BodyFile): SentFile {
  const wrapped = Object.entries(secrets).map(([index, sent]) => [
    index,
    typeof sent === "string"
      ? new Secret(sent)
      : Object.fromEntries(Object.entries(sent).map(([field, part]) => [field, new Secret(part)])),
  ]);
  return { name, text, secrets: Object.fromEntries(wrapped) as SentFile["secrets"] };
}

function asItem({ kind, ref, action, changes, notes }: ApplyPlan["items"][number]) {
  return { kind, ref, action, changes: [...changes], notes: [...notes] };
}
