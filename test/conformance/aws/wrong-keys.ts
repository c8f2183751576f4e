import { randomBytes } from "node:crypto";
import { CreateAccessKeyCommand, DeleteAccessKeyCommand } from "@aws-sdk/client-iam";
import { TransientError } from "../../../domain/errors.ts";
import { Secret } from "../../../providers/contract/secret.ts";
import type { IssuerClauseName } from "../issuer-suite.ts";
import type { KeyOutside, KeyTwist } from "./key-world.ts";

/** The real provider with one small change, and the clause that must catch it. */
export interface WrongKeys {
  readonly name: string;
  readonly caughtBy: IssuerClauseName;
  readonly twist: KeyTwist;
}

let turn = 0;
/** A claim that beats every other, each time. */
const always = () => ({ epoch: 9, number: (turn += 1) });

async function mint({ iam, user }: KeyOutside) {
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: user })).catch(() => {
    throw new TransientError("issuer_unreachable", "There was no answer. It will be tried again.");
  });
  const { AccessKeyId = "", SecretAccessKey = "", CreateDate = new Date() } = AccessKey ?? {};
  const value = { accessKeyId: AccessKeyId, secretAccessKey: new Secret(SecretAccessKey) };
  return { handle: AccessKeyId, value, effectiveAt: CreateDate.toISOString() };
}

export const wrongKeys: readonly WrongKeys[] = [
  {
    name: "mints again without looking",
    caughtBy: "7.1 a lost answer, repeated, makes no second version",
    twist: (_right, outside) => ({ issue: async () => mint(outside) }),
  },
  {
    name: "takes a lost answer for a failure",
    caughtBy: "7.1 a lost answer, repeated, makes no second version",
    twist: (right) => ({
      issue: async (request) => right.issue({ ...request, operationKey: randomBytes(8).toString("hex") }),
    }),
  },
  {
    name: "ends the oldest to make room",
    caughtBy: "7.3 what is in keep is never touched",
    twist: (right, { fake, user, iam }) => ({
      async issue(request) {
        const [oldest, second] = fake.keysOf(user);
        if (oldest !== undefined && second !== undefined)
          await iam.send(new DeleteAccessKeyCommand({ UserName: user, AccessKeyId: oldest.id }));
        return right.issue(request);
      },
    }),
  },
  {
    name: "ends only what it has the id of",
    caughtBy: "5 a late issue cannot revive what was abandoned",
    twist: (right) => ({
      abandon: async (request) => (request.handle === "" ? undefined : right.revoke(request)),
    }),
  },
  {
    name: "does not compare claims",
    caughtBy: "5 an outdated claim cannot issue",
    twist: (right) => ({ issue: async (request) => right.issue({ ...request, claim: always() }) }),
  },
  {
    name: "takes every key for its own",
    caughtBy: "2 a stranger is listed, and not as ours",
    twist: (right) => ({ list: async () => (await right.list()).map((each) => ({ ...each, ours: true })) }),
  },
  {
    name: "does not count inactive keys",
    caughtBy: "7.4 what is listed is what there is",
    twist: (right) => ({ list: async () => (await right.list()).filter(({ state }) => state === "live") }),
  },
  {
    name: "takes an inactive key for a dead one",
    caughtBy: "7.5 disabled is not dead",
    twist: (right) => ({
      async probe(request) {
        const answer = await right.probe(request);
        return answer.code === "inactive"
          ? { ...answer, verdict: "refused" as const, code: "InvalidClientTokenId" }
          : answer;
      },
    }),
  },
  {
    name: "tells the last use of the user and not of the key",
    caughtBy: "7.6 a use is told with its time to the declared grain, of the version that was used and of no other",
    twist: (right) => ({
      async lastUses(handles) {
        const told = (await right.lastUses?.(handles)) ?? { at: "", lastUsed: {} };
        const any = Object.values(told.lastUsed).find((use) => use !== null) ?? null;
        return { ...told, lastUsed: Object.fromEntries(handles.map((handle) => [handle, any])) };
      },
    }),
  },
  {
    name: "tells when it looked for when the key was used",
    caughtBy: "7.6 a use is told with its time to the declared grain, of the version that was used and of no other",
    twist: (right) => ({
      async lastUses(handles) {
        const told = (await right.lastUses?.(handles)) ?? { at: "", lastUsed: {} };
        const looked = { at: new Date(Date.now() + 3_600_000).toISOString(), by: "somebody" };
        return { ...told, lastUsed: Object.fromEntries(handles.map((handle) => [handle, looked])) };
      },
    }),
  },
  {
    name: "has no control beside a refusal",
    caughtBy: "7.5 a refusal without a live control is unknown",
    twist: (right) => ({
      async probe(request) {
        const answer = await right.probe(request);
        return answer.code === "control_refused"
          ? { ...answer, verdict: "refused" as const, code: "InvalidClientTokenId" }
          : answer;
      },
    }),
  },
];
