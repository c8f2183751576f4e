import type { Loss } from "./lost-answer.ts";
import { patient, whenDisabled, whenPromoted, type MatrixCase } from "./matrix-cases.ts";

/** A call was done and its answer is lost to a worker that lives, and has to find out by itself. */
export interface LossCase extends Omit<MatrixCase, "failpoint" | "point" | "abortsAfter"> {
  readonly loses: Loss;
}

/** A step with a call of it, and what that call says of itself. */
type Row = readonly [step: string, call: string, ...says: string[]];

type Where = Pick<LossCase, "issuer" | "custody"> & { readonly at: Loss["at"]; readonly order?: LossCase["order"] };

function expand(rows: readonly Row[], where: Where, prefix: string): readonly LossCase[] {
  const { at, order = "overlap", ...rest } = where;
  return rows.map(([step, call, ...says]) => {
    const when = step === "undo-enable" ? whenDisabled : step.startsWith("undo-") ? whenPromoted : { policy: patient };
    return {
      ...{ name: `${prefix}${step}:lost-${call}`, step, order, ...rest, ...when },
      // Each loss is a failure of routine.
      policy: { ...when.policy, attempts: 50 },
      loses: says.length === 0 ? { at } : { at, says },
    };
  });
}

/** Each kind of call loses its first answer, in one rotation. */
const each: readonly Row[] = [
  ["all", "every"],
  ["undo-all", "every"],
];

const iam = (action: string, ...more: readonly string[]): readonly string[] => [`Action=${action}&`, ...more];
const atAws: readonly Row[] = [
  ["issue", "CreateAccessKey", ...iam("CreateAccessKey")],
  ["issue", "note", ...iam("TagUser")],
  ["issue", "mark", ...iam("TagUser", "rekey:key:")],
  ["disable", "UpdateAccessKey", ...iam("UpdateAccessKey", "Status=Inactive")],
  ["revoke", "DeleteAccessKey", ...iam("DeleteAccessKey")],
  ["revoke", "UntagUser", ...iam("UntagUser")],
  ["undo-enable", "UpdateAccessKey", ...iam("UpdateAccessKey", "Status=Active")],
  ["undo-abandon", "UpdateAccessKey", ...iam("UpdateAccessKey", "Status=Inactive")],
  ["undo-abandon", "DeleteAccessKey", ...iam("DeleteAccessKey")],
  ...each,
];
const atVault: readonly Row[] = [
  ["issue", "secret-id", "POST ", "/secret-id "],
  ["revoke", "destroy", "/secret-id-accessor/destroy "],
  ["undo-abandon", "destroy", "/secret-id-accessor/destroy "],
  ...each,
];

/** Of what forgets the value of this version. */
const forgetsInAws = (step: string, version: number): readonly Row[] => {
  const one = `/${version}/version`;
  return [
    [step, "PutSecretValue", "secretsmanager.PutSecretValue", one],
    [step, "UpdateSecretVersionStage", "secretsmanager.UpdateSecretVersionStage", one],
    [step, "strip", "secretsmanager.UpdateSecretVersionStage", "AWSPREVIOUS", one],
    [step, "DeleteSecret", "secretsmanager.DeleteSecret", one],
  ];
};
const forgetsInVault = (step: string, version: number): Row => [step, "destroy", "/destroy/", `/${version}/version`];
const puts = {
  aws: ["CreateSecret", "secretsmanager.CreateSecret", "/2/version"],
  vault: ["write", "POST ", "/data/", "/2/version"],
} as const;

const inAws: readonly Row[] = [
  ["keep", ...puts.aws],
  ...forgetsInAws("close", 1),
  ...forgetsInAws("undo-forget", 2),
  ...each,
];
const inVault: readonly Row[] = [
  ["keep", ...puts.vault],
  forgetsInVault("close", 1),
  forgetsInVault("undo-forget", 2),
  ...each,
];

const chosenIn = (custody: "aws" | "vault"): readonly LossCase[] => {
  const where = { issuer: "postgres", custody, at: "custody" } as const;
  const unstages = custody === "aws" ? forgetsInAws("undo-unstage", 2).slice(-1) : [forgetsInVault("undo-unstage", 2)];
  return [
    ...expand([["choose", ...puts[custody]]], where, `custody-${custody}/postgres/`),
    ...expand(
      [["stage", ...puts[custody]], ...unstages],
      { ...where, order: "single-slot" },
      `custody-${custody}/postgres/`,
    ),
  ];
};

export const lossCases: readonly LossCase[] = [
  ...expand(atAws, { issuer: "aws", custody: "embedded", at: "issuer" }, "aws/"),
  ...expand(atVault, { issuer: "vault", custody: "embedded", at: "issuer" }, "vault/"),
  ...expand(inAws, { issuer: "aws", custody: "aws", at: "custody" }, "custody-aws/"),
  ...chosenIn("aws"),
  ...expand(inVault, { issuer: "vault", custody: "vault", at: "custody" }, "custody-vault/"),
  ...chosenIn("vault"),
];

/** Of the steps of an order and its undo, those without a call outside whose answer could be lost. */
export const losesNothing: readonly { readonly steps: readonly string[]; readonly why: string }[] = [
  {
    steps: ["preflight", "adopt", "drain", "prove", "undo-guard-candidate", "undo-prove-refused"],
    why: "It only looks: it asks again. The rows `every` lose the first answer of each kind of question too.",
  },
  {
    steps: ["promote", "guard", "undo-demote", "undo-close"],
    why: "It changes the ledger alone.",
  },
  {
    steps: ["deliver", "undo-restore"],
    why: "The consumer is a file, which nobody answers for; consumers that are reached by calls have their conformance suite.",
  },
];
