import { setTimeout as sleep } from "node:timers/promises";
import type { z } from "zod";
import { OperatorNeededError } from "../../../domain/errors.ts";
import type { ProviderContext } from "../../contract/context.ts";
import type { EgressAnswer, EgressRequest } from "../../contract/egress.ts";
import type { Secret } from "../../contract/secret.ts";
import { failureOf, notAdmitted } from "./api-error.ts";
import type { KubernetesConnection } from "./connection.ts";
import { page, review } from "./objects.ts";
import { wordsFor, type Right } from "./rights.ts";

/** One namespace of one cluster, as one service account. */
export interface Api {
  readonly connection: KubernetesConnection;
  readonly token: Secret<string>;
  readonly namespace: string;
  readonly context: Pick<ProviderContext, "fetch" | "signal">;
}

const largestAnswer = 16 * 1_048_576;
const pageSize = 100;
const mostTries = 4;
/** Longer is not waited for here: the step is tried again by itself. */
const longestWaitMs = 5_000;

const root = (group: string): string => (group === "" ? "/api/v1" : `/apis/${group}/v1`);

function pathOf({ namespace }: Api, { group, resource, name }: Right): string {
  const collection = `${root(group)}/namespaces/${namespace}/${resource}`;
  return name === undefined ? collection : `${collection}/${name}`;
}

type Call = Pick<EgressRequest, "method" | "json" | "contentType">;

/** Any answer; one that says when to ask again is waited for, a few times. */
async function answerTo(api: Api, path: string, request: Call): Promise<EgressAnswer> {
  const { connection, token, context } = api;
  const url = new URL(path, connection.server).href;
  for (let tries = 1; ; tries++) {
    context.signal.throwIfAborted();
    const answer = await context.fetch({ ...request, url, token, ca: connection.ca, largestAnswer }, context.signal);
    const waitMs = answer.status === 429 || answer.status === 503 ? answer.retryAfterMs : undefined;
    if (waitMs === undefined || waitMs > longestWaitMs || tries === mostTries) return answer;
    await sleep(waitMs, undefined, { signal: context.signal });
  }
}

function parsedAs<T>(schema: z.ZodType<T>, answer: EgressAnswer, right: Right): T {
  const result = schema.safeParse(answer.body);
  if (result.success) return result.data;
  throw new OperatorNeededError(
    "target_malformed",
    `What the API server answered to ${wordsFor(right)} is not what Kubernetes answers. See that server of the connection is the address of an API server, then retry.`,
  );
}

const isGood = ({ status = 0 }: EgressAnswer): boolean => status >= 200 && status <= 299;

/** Undefined where there is no such object. */
export async function getObject<T>(api: Api, right: Omit<Right, "verb">, schema: z.ZodType<T>): Promise<T | undefined> {
  const asked = { ...right, verb: "get" };
  const answer = await answerTo(api, pathOf(api, asked), { method: "GET" });
  if (answer.status === 404) return undefined;
  if (!isGood(answer)) throw failureOf(answer, asked, api.namespace);
  return parsedAs(schema, answer, asked);
}

/** All of a collection, page by page. */
export async function listObjects<T>(
  api: Api,
  collection: Pick<Right, "group" | "resource">,
  schema: z.ZodType<T>,
): Promise<readonly T[]> {
  const right = { ...collection, verb: "list" };
  const found: T[] = [];
  let next = "";
  do {
    const query = `?limit=${pageSize}${next === "" ? "" : `&continue=${encodeURIComponent(next)}`}`;
    const answer = await answerTo(api, `${pathOf(api, right)}${query}`, { method: "GET" });
    if (!isGood(answer)) throw failureOf(answer, right, api.namespace);
    const { metadata, items } = parsedAs(page, answer, right);
    for (const item of items) found.push(parsedAs(schema, { ...answer, body: item }, right));
    next = metadata.continue ?? "";
  } while (next !== "");
  return found;
}

export interface Patch {
  /** Of an object that is there. */
  readonly of: Omit<Right, "verb">;
  readonly how: "apply" | "merge";
  /** Who the changed fields belong to from then on. */
  readonly fieldManager: string;
  readonly json: unknown;
  /** The API server does all but keep it. */
  readonly isDryRun?: true;
}

/** `conflict`: somebody else was faster. `absent`: there is no such object. */
export async function patchObject(api: Api, patch: Patch): Promise<"done" | "conflict" | "absent"> {
  const { of, how, fieldManager, json, isDryRun } = patch;
  const right = { ...of, verb: "patch" };
  // What an apply takes from others has been looked at before, under the very resourceVersion that it names.
  const query = `?fieldManager=${fieldManager}${how === "apply" ? "&force=true" : ""}${isDryRun === true ? "&dryRun=All" : ""}`;
  const contentType = how === "apply" ? "application/apply-patch+yaml" : "application/merge-patch+json";
  const answer = await answerTo(api, `${pathOf(api, right)}${query}`, { method: "PATCH", json, contentType });
  if (isGood(answer)) return "done";
  if (answer.status === 404) return "absent";
  if (answer.status === 409) return "conflict";
  // Admission answers with 403 too; a Role would not help then.
  if (answer.status === 403 && (await isAllowed(api, right))) throw notAdmitted(right, api.namespace);
  throw failureOf(answer, right, api.namespace);
}

/** Whether the service account may do it, by the API server's own word. */
export async function isAllowed(api: Api, right: Right): Promise<boolean> {
  const { namespace } = api;
  const group = "authorization.k8s.io";
  const asked = { group, resource: "selfsubjectaccessreviews", verb: "create" };
  const answer = await answerTo(api, `${root(group)}/${asked.resource}`, {
    method: "POST",
    json: {
      apiVersion: `${group}/v1`,
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes: { ...right, namespace } },
    },
  });
  if (!isGood(answer)) throw failureOf(answer, asked, namespace);
  return parsedAs(review, answer, asked).status.allowed;
}
