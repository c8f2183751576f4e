import type { z } from "zod";
import { checkSecretRef } from "../custody/refs.ts";
import { requestCheckWithSecret } from "../ledger/checks.ts";
import { assertFit } from "../providers/contract/value.ts";
import { asValue, wrapped } from "./connection-secrets.ts";
import type { ApiDeps, Handlers } from "./deps.ts";
import { ProblemError } from "./problem.ts";

export const initHandlers: Handlers<"startInit" | "showGrants"> = {
  async startInit({ params, body, actor }, { ledger, custody, catalog }) {
    const { issuer, init } = abilityOf(catalog, params.name);
    const { team, environment, credential: name } = body;
    const question = init.questionSchema.safeParse(body.question);
    if (!question.success) throw refusal("question", question.error);
    const secret = asValue(init.secretFields, wrapped(body.secret));
    if (secret === undefined)
      throw new ProblemError(
        "request_invalid",
        `The secret must name each of ${Object.keys(init.secretFields).join(", ")}.`,
      );
    assertFit(secret, init.secretFields);
    const consumer = body.consumer === undefined ? undefined : draftOf(catalog, body.consumer);
    const asked = {
      issuer,
      question: plain(question.data),
      team,
      environment,
      name,
      ...(consumer === undefined ? {} : { consumer }),
    };
    const checkId = await requestCheckWithSecret(
      ledger,
      { kind: "init", arguments: asked, requestedBy: actor },
      {
        async put(check) {
          await custody.putIfAbsent(checkSecretRef(check, check.instance), secret);
        },
        forget: async (check) => custody.forget(checkSecretRef(check, check.instance)),
      },
    );
    return { checkId };
  },

  async showGrants({ params, body }, { catalog }) {
    const all = Object.values(catalog.consumers).flatMap((one) =>
      one.init === undefined ? [] : [{ ...one, init: one.init }],
    );
    const found = all.find(({ init }) => init.name === params.name);
    if (found === undefined)
      throw new ProblemError("not_found", `There are grants for ${all.map(({ init }) => init.name).join(", ")} only.`);
    const parsed = found.configSchema.safeParse(body.config);
    if (!parsed.success) throw refusal("config", parsed.error);
    const { kind, connectionKind, init } = found;
    const grants = init.grantsFor(parsed.data);
    return { kind, connectionKind: connectionKind?.kind ?? "", config: plain(parsed.data), grants };
  },
};

function abilityOf({ issuers }: ApiDeps["catalog"], name: string) {
  const all = Object.values(issuers).flatMap(({ kind, init }) => (init === undefined ? [] : [{ issuer: kind, init }]));
  const found = all.find(({ init }) => init.name === name);
  if (found !== undefined) return found;
  throw new ProblemError(
    "not_found",
    `There is no such kind to look at. There are: ${all.map(({ init }) => init.name).join(", ")}.`,
  );
}

function draftOf({ consumers }: ApiDeps["catalog"], { path, keys }: { path: string; keys: Record<string, string> }) {
  const definition = Object.values(consumers).find((one) => one.draft !== undefined);
  if (definition?.draft === undefined) throw new ProblemError("internal", "No kind of consumer keeps a text file.");
  const parsed = definition.configSchema.safeParse(definition.draft(path, keys));
  if (parsed.success) return { kind: definition.kind, config: plain(parsed.data) };
  throw refusal("consumer", parsed.error);
}

/** Names the place, and never what was typed there: it may be a secret that went astray. */
function refusal(where: string, { issues: [first] }: z.ZodError): ProblemError {
  const place = [where, ...(first?.path ?? []).slice(0, 2)].join(".");
  const text =
    first?.code === "unrecognized_keys" ? "has a field that nobody knows" : (first?.message ?? "is not valid");
  return new ProblemError("request_invalid", `${place}: ${text}.`);
}

const plain = (parsed: unknown) => JSON.parse(JSON.stringify(parsed)) as never;
