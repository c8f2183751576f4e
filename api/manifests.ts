import { applyManifests, type ApplyPlan, type SentFile } from "../manifests/apply.ts";
import type { ManifestIssue } from "../manifests/documents.ts";
import type { ManifestKind } from "../manifests/schemas.ts";
import { deleteRegistered, type DeleteAnswer } from "../manifests/delete.ts";
import { exportManifests } from "../manifests/export.ts";
import { kindHint, kindNamed, nameHint } from "../manifests/kind-named.ts";
import { manifestJsonSchema } from "../manifests/json-schema.ts";
import { createConnectionSecrets, wrapped } from "./connection-secrets.ts";
import type { Handlers } from "./deps.ts";
import { ProblemError } from "./problem.ts";
import type { Received } from "./route-table.ts";
import { settleProposals } from "./settle-proposals.ts";

type Names = "applyManifests" | "exportManifests" | "deleteRegistered" | "showManifestSchema";

export const manifestHandlers: Handlers<Names> = {
  async applyManifests({ body, actor }, { ledger, catalog, ...deps }) {
    const secrets = createConnectionSecrets(deps);
    const custody = { places: deps.custody.places, usual: deps.custodyDefault };
    const request = { files: body.files.map(asFile), actor, planDigest: body.planDigest };
    const answer = await applyManifests({ ledger, catalog, secrets, custody }, request);
    switch (answer.outcome) {
      case "invalid":
        throw invalidManifests(answer.issues);
      case "plan-changed":
        throw new ProblemError("plan_changed", "Somebody else has registered something; nothing was applied.");
      case "planned":
      case "applied":
        if (answer.outcome === "applied") await settleProposals({ ledger, catalog });
        return { outcome: answer.outcome, digest: answer.plan.digest, items: answer.plan.items.map(asItem) };
    }
  },

  async exportManifests({ query }, deps) {
    const { name } = query;
    const kind = query.kind === undefined ? undefined : kindOf(query.kind);
    const manifests = await exportManifests(deps, { kind, name });
    if (kind !== undefined && name !== undefined && manifests.length === 0) {
      const names = (await exportManifests(deps, { kind })).map(({ ref }) => ref.slice(`${kind} `.length));
      throw new ProblemError("not_found", nameHint(kind, name, names));
    }
    return { manifests: [...manifests] };
  },

  async deleteRegistered({ body, actor }, deps) {
    const { ledger } = deps;
    const request = { ...body, kind: kindOf(body.kind), actor };
    return asDeletion(await deleteRegistered({ ledger, secrets: createConnectionSecrets(deps) }, request));
  },

  showManifestSchema: (_, { catalog }) => Promise.resolve({ schema: manifestJsonSchema(catalog) }),
};

/** @throws {ProblemError} where nothing was planned or deleted */
export function asDeletion(answer: DeleteAnswer) {
  switch (answer.outcome) {
    case "not-found":
      throw new ProblemError("not_found", answer.hint);
    case "ambiguous":
      throw new ProblemError("request_invalid", answer.hint);
    case "refused":
      throw new ProblemError("delete_refused", answer.reasons.join(" "));
    case "plan-changed":
      throw new ProblemError("plan_changed", "It is not what it was when you said yes; nothing was deleted.");
    case "planned":
    case "deleted": {
      const { ref, notes, digest } = answer.deletion;
      return { outcome: answer.outcome, ref, notes: [...notes], digest };
    }
  }
}

export function invalidManifests(issues: readonly ManifestIssue[]): ProblemError {
  const [first] = issues;
  const count = `${issues.length} ${issues.length === 1 ? "mistake" : "mistakes"}`;
  const detail = `${count}, the first in ${first?.file ?? ""} line ${first?.line ?? 0}.`;
  return new ProblemError("manifest_invalid", detail, issues);
}

function kindOf(text: string): ManifestKind {
  const kind = kindNamed(text);
  if (kind === undefined) throw new ProblemError("request_invalid", kindHint(text));
  return kind;
}

type BodyFile = Received<"applyManifests">["body"]["files"][number];

/** From here on a secret is a `Secret`. */
function asFile({ name, text, secrets }: BodyFile): SentFile {
  const given = Object.entries(secrets).map(([index, sent]) => [index, wrapped(sent)]);
  return { name, text, secrets: Object.fromEntries(given) as SentFile["secrets"] };
}

function asItem({ kind, ref, action, changes, notes }: ApplyPlan["items"][number]) {
  return { kind, ref, action, changes: [...changes], notes: [...notes] };
}
