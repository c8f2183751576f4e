/** The part of IAM's policy language that is judged here; a document with anything else is refused when it is given. */
export interface PolicyDocument {
  readonly Version: "2012-10-17";
  readonly Statement: readonly Statement[] | Statement;
}

interface Statement {
  readonly Sid?: string;
  readonly Effect: "Allow" | "Deny";
  readonly Action: readonly string[] | string;
  readonly Resource: readonly string[] | string;
  /** Of the operators, the one. */
  readonly Condition?: { readonly StringEquals: Context };
}

/** What is known of a call beside what it does, by the keys of conditions. */
export type Context = Readonly<Record<string, string>>;

export type Decision = "allowed" | "explicitDeny" | "implicitDeny";

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html */
export function decide(
  policies: readonly PolicyDocument[],
  action: string,
  resource: string,
  context: Context,
): Decision {
  const fitting = policies
    .flatMap(({ Statement }) => list(Statement))
    .filter(({ Action, Resource, Condition }) => {
      const isAction = list(Action).some((pattern) => fits(pattern.toLowerCase(), action.toLowerCase()));
      const isResource = list(Resource).some((pattern) => fits(pattern, resource));
      return isAction && isResource && wants(Condition).every(([key, value]) => context[key] === value);
    });
  if (fitting.some(({ Effect }) => Effect === "Deny")) return "explicitDeny";
  return fitting.length > 0 ? "allowed" : "implicitDeny";
}

const wants = (condition: Statement["Condition"]) => Object.entries(condition?.StringEquals ?? {});

/** Keys that conditions of the policies ask about, and that nobody has said. */
export function unsaid(policies: readonly PolicyDocument[], context: Context): readonly string[] {
  const asked = policies.flatMap(({ Statement }) => list(Statement)).flatMap(({ Condition }) => wants(Condition));
  return [...new Set(asked.map(([key]) => key))].filter((key) => context[key] === undefined);
}

const known = new Set(["Sid", "Effect", "Action", "Resource", "Condition"]);

/** Throws for what would be judged wrongly, so that no test passes by it. */
export function readPolicy(document: unknown): PolicyDocument {
  const policy = document as PolicyDocument;
  if (policy.Version !== "2012-10-17") throw new Error("A policy has the Version 2012-10-17.");
  for (const statement of list(policy.Statement)) {
    const strange = Object.keys(statement).filter((name) => !known.has(name));
    if (strange.length > 0) throw new Error(`The fake does not know ${strange.join(", ")} of a policy.`);
    const operators = Object.keys(statement.Condition ?? {});
    if (operators.some((name) => name !== "StringEquals"))
      throw new Error(`The fake does not know ${operators.join(", ")} of a condition.`);
    if (!["Allow", "Deny"].includes(statement.Effect)) throw new Error("The Effect is Allow or Deny.");
    if ([...list(statement.Action), ...list(statement.Resource)].some((each) => typeof each !== "string"))
      throw new Error("Action and Resource are texts.");
    if (list(statement.Resource).some((each) => each !== "*" && !/^arn:aws:([^:]*:){3}/.test(each)))
      throw new Error("A Resource is * or an ARN.");
  }
  return policy;
}

export const everything: PolicyDocument = {
  Version: "2012-10-17",
  Statement: { Effect: "Allow", Action: "*", Resource: "*" },
};

function list<T>(one: readonly T[] | T): readonly T[] {
  return Array.isArray(one) ? (one as readonly T[]) : [one as T];
}

function fits(pattern: string, text: string): boolean {
  const source = pattern.replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${source.replaceAll("*", ".*").replaceAll("?", ".")}$`, "s").test(text);
}
