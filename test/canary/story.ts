import { readFile, writeFile } from "node:fs/promises";
import { stringify } from "yaml";
import { expect } from "vitest";
import { editFile } from "../harness/edit-file.ts";
import { newSecret } from "../harness/postgres-issuer.ts";
import { readHistories, type History } from "./histories.ts";
import type { ProductRun } from "./product-run.ts";
import { askRightly, askWrongly, type Asked } from "./requests.ts";
import { wrongManifests } from "./wrong-manifests.ts";

export interface Told {
  /** Of the rotation that was undone. */
  readonly rotation: string;
  readonly answers: readonly Asked[];
  readonly wrongAnswers: readonly Asked[];
  readonly histories: readonly History[];
}

const metadata = (name: string) => ({ name, team: "shop", environment: "test" });

function manifestsOf({ issuer, pair, files }: ProductRun): string {
  const { host, port } = issuer;
  const times = { grace: "300ms", disabledFor: "300ms", observeFor: "300ms", lookEvery: "100ms", holdAfter: "1s" };
  const manifests = [
    { kind: "Team", metadata: { name: "shop" }, spec: {} },
    { kind: "Environment", metadata: { name: "test" }, spec: {} },
    {
      kind: "Connection",
      metadata: metadata("db"),
      spec: {
        kind: "postgres-role",
        config: { host, port, database: "postgres", user: pair.admin.user },
        secretFrom: { file: files.adminSecret },
      },
    },
    {
      kind: "Credential",
      metadata: metadata("orders"),
      spec: {
        issuer: "postgres-role",
        connection: "shop/db",
        config: { owner: pair.owner, logins: [...pair.logins], database: "orders" },
        policy: { ...times, answersInRow: 2 },
      },
    },
    {
      kind: "Consumer",
      metadata: metadata("shop"),
      spec: {
        credential: "shop/orders",
        kind: "file",
        config: { path: files.target, format: "dotenv", keys: { DB_USER: "username", DB_PASSWORD: "password" } },
        evidence: { sessions: { database: "orders", networks: ["127.0.0.1/32"], applicationName: "shop" } },
      },
    },
    {
      kind: "Notice",
      metadata: { name: "hooks", team: "shop" },
      spec: { format: "webhook", url: "https://127.0.0.1:9/", secretFrom: { file: files.signingSecret } },
    },
    {
      kind: "Notice",
      metadata: { name: "chat", team: "shop" },
      spec: { format: "slack", of: "all", secretFrom: { file: files.slackAddress } },
    },
  ];
  return manifests.map((one) => stringify({ apiVersion: "rekey/v1", ...one })).join("---\n");
}

/** One rotation proven, one undone from a hold, and every error that a person makes; `reason` goes along in the open. */
export async function tellStory(run: ProductRun, reason: string): Promise<Told> {
  const { files, login, shop } = run;
  const done = async (args: readonly string[], code = 0, input?: string): Promise<string> => {
    const ran = await run.run(args, input);
    expect(ran, args.join(" ")).toMatchObject({ code });
    return ran.out;
  };
  const applied = async (): Promise<unknown> => done(["apply", "-f", files.manifests, "--yes"]);
  const rotated = async (code: number): Promise<string> =>
    /rot_[0-9a-z]{26}/.exec(await done(["rotate", "shop/orders", "--wait", "--json", "--reason", reason], code))?.[0] ??
    "";
  const newGiven = (): string => {
    const secret = newSecret();
    run.given.add(secret);
    return secret;
  };
  const holdOf = async (id: string): Promise<string | undefined> => {
    const { hold } = JSON.parse(await done(["rotation", "show", id, "--json"])) as { hold: { code: string } | null };
    return hold?.code;
  };

  await writeFile(files.manifests, manifestsOf(run));
  await applied();
  await done(["credential", "adopt", "shop/orders", "--username", login.user], 1, newGiven());
  await writeFile(files.wrongManifest, Object.values(wrongManifests(login.adminPassword)).join("---\n"));
  await done(["apply", "-f", files.wrongManifest, "--yes"], 2);
  await done(["credential", "adopt", "shop/orders", "--username", login.user], 0, login.password);

  await rotated(0);
  shop.isStubborn = true;
  const rotation = await rotated(3);
  for (const args of [
    ["rotation", "show", rotation],
    ["rotation", "list"],
    ["rotation", "plan", "shop/orders"],
    ["credential", "show", "shop/orders"],
    ["credential", "list"],
    ["notice", "list"],
    ["notice", "show", "shop/chat"],
    ["notice", "deliveries", "shop/hooks"],
    ["audit", "list", "--limit", "200"],
    ["audit", "verify"],
  ])
    await done([...args, "--json"]);
  for (const args of [
    ["rotation", "show", rotation],
    ["rotation", "plan", "shop/orders"],
  ])
    await done(args);
  for (const name of ["shop/hooks", "shop/chat"]) await done(["notice", "test", name], 1);
  const whileHeld = await readHistories(run.home);
  const check = /chk_[0-9a-z]{26}/.exec(whileHeld.map(({ workflowId }) => workflowId).join(" "))?.[0] ?? "";
  const answers = [...(await askRightly(run, { rotation, check, reason }))];
  // Nobody's value yet, the current one of the issuer's admin, and one that has awkward characters.
  const wrongAnswers = await askWrongly(run, [login.password, login.adminPassword, newGiven()]);
  await done(["rotation", "roll-back", rotation, "--reason", reason]);
  await run.run(["rotation", "watch", rotation]);
  shop.isStubborn = false;

  // A wrong admin password; then it is right again, and the target was changed by hand.
  await writeFile(files.adminSecret, newGiven());
  await applied();
  const refused = await rotated(3);
  expect(await holdOf(refused)).toBe("issuer_auth_failed");
  await writeFile(files.adminSecret, login.adminPassword);
  await applied();
  const delivered = await readFile(files.target, "utf8");
  await editFile(files.target, delivered.replace(/DB_PASSWORD=.*/, `DB_PASSWORD=${newGiven()}`));
  await done(["rotation", "retry", refused]);
  await run.run(["rotation", "watch", refused]);
  expect(await holdOf(refused)).toBe("target_drift");
  answers.push(...(await askRightly(run, { rotation: refused, check, reason })));
  await editFile(files.target, delivered);
  await done(["rotation", "retry", refused]);
  await done(["rotation", "watch", refused]);
  return { rotation, answers, wrongAnswers, histories: [...whileHeld, ...(await readHistories(run.home))] };
}
