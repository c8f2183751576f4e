import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { routes } from "../../api/route-table.ts";
import { hasTemporal } from "../harness/temporal-program.ts";
import { allowedPlaces } from "./allowed.ts";
import { needlesOf, type Needles } from "./needles.ts";
import { checkpoint, ledgerFolder, startProductRun, type ProductRun } from "./product-run.ts";
import { scanFolder, scanText } from "./scan.ts";
import { tellStory, type Told } from "./story.ts";

describe.runIf(hasTemporal)("a whole run of the product", () => {
  let run: ProductRun;
  let told: Told;
  let ledger: string;
  let needles: Needles;
  /** A person's words and a rotation's name may lie anywhere: a scan that does not find them does not look. */
  const reason = `reason-${randomBytes(12).toString("hex")}`;
  const words = needlesOf([reason]);
  let name: Needles;

  beforeAll(async () => {
    run = await startProductRun();
    told = await tellStory(run, reason);
    ledger = await ledgerFolder(run.home);
    await checkpoint(run.home);
    needles = needlesOf(await run.secrets());
    name = needlesOf([told.rotation]);
    await run.stop();
  }, 420_000);

  afterAll(async () => run?.remove(), 120_000);

  it("invariant 6: looks for every password that the run made, and for those that it was given", () => {
    const shown = told.answers.findLast((one) => one.name === "showCredential")?.answer ?? "";
    const versions = new Set(/"versions":\[(.*?)\]/.exec(shown)?.[1]?.match(/"number":\d+/g));
    expect(versions.size).toBe(4);
    // The first version was given.
    expect(run.generated()).toHaveLength(versions.size - 1);
  });

  it("invariant 6: standard output and error of every process show no secret", () => {
    const text = run.output.join("\n");
    expect(scanText("output", text, name)).not.toEqual([]);
    expect(scanText("output", text, needles)).toEqual([]);
  });

  it("invariant 6: no answer of the API shows a secret, on any route", () => {
    const asked = new Map(told.answers.map((one) => [one.name, one.status]));
    expect([...asked.keys()]).toEqual([...Object.keys(routes), "resume", "openapi"]);
    const answered = [...asked].filter(([, status]) => status === 200).map(([route]) => route);
    expect(Object.keys(routes).filter((route) => !answered.includes(route))).toEqual([
      "adoptCredential",
      "moveCredential",
      // what they name is not there, or does not fit: a refusal has to keep quiet as well
      ...["showProposal", "dismissProposal", "registerConsumer", "retireConsumer", "acknowledgeConsumer"],
      ...["showGrant", "approveGrant", "refuseGrant", "withdrawGrant", "requestReceipt"],
      ...["previewEmergency", "declareEmergency", "releaseConsumer"],
    ]);
    expect(told.answers.flatMap((one) => scanText(one.name, one.answer, words))).not.toEqual([]);
    expect(told.answers.flatMap((one) => scanText(one.name, one.answer, needles))).toEqual([]);
  });

  it("invariant 6: a secret in a wrong place of a request is not repeated in the answer", () => {
    const statuses = new Set(told.wrongAnswers.map(({ status }) => status));
    expect([...statuses]).toEqual(expect.arrayContaining([400, 401, 403, 404]));
    expect([...statuses].filter((status) => status >= 500)).toEqual([]);
    expect(told.wrongAnswers.flatMap((one) => scanText(one.name, one.answer, needles))).toEqual([]);
  });

  it("invariant 6: no workflow's history holds a secret", () => {
    const ids = new Set(told.histories.map(({ workflowId }) => workflowId));
    expect([...ids].filter((id) => id.startsWith("rotate/"))).toHaveLength(3);
    expect([...ids].filter((id) => id.startsWith("check/")).length).toBeGreaterThanOrEqual(2);
    expect(told.histories.flatMap((one) => scanText(one.workflowId, one.text, name))).not.toEqual([]);
    expect(told.histories.flatMap((one) => scanText(one.workflowId, one.text, needles))).toEqual([]);
  });

  it("invariant 6: no process showed a secret in its arguments or environment while it ran", () => {
    const homes = needlesOf([`REKEY_HOME=${run.home}`]);
    expect(run.watch.scan(name).map(({ place }) => place)).toContain("/proc/…/cmdline");
    expect(run.watch.scan(homes).map(({ place }) => place)).toContain("/proc/…/environ");
    expect(run.watch.scan(needles)).toEqual([]);
  });

  it("invariant 6: the ledger's files with its log ahead, Temporal's database, logs and temporary files hold none", async () => {
    const holdWords = (await scanFolder(run.place, words)).map(({ place }) => place);
    expect(holdWords.filter((place) => place.startsWith(join(ledger, "data", "base")))).not.toEqual([]);
    expect(holdWords.filter((place) => place.includes("pg_wal"))).not.toEqual([]);
    const holdName = (await scanFolder(run.home, name)).map(({ place }) => place);
    expect(holdName.some((place) => place.startsWith(join(run.home, "temporal")))).toBe(true);
    for (const log of ["api", "worker"])
      expect((await readFile(join(run.home, "logs", `${log}.log`))).length, log).toBeGreaterThan(0);
    expect(await scanFolder(run.place, needles, allowedPlaces(run))).toEqual([]);
  });

  it("invariant 6: each place that may hold a secret does, and is worth its line in the table", async () => {
    const found = (await scanFolder(run.place, needles)).map(({ place }) => place);
    const unused = allowedPlaces(run).filter(({ path }) => !found.some((place) => place.startsWith(path)));
    expect(unused).toEqual([]);
  });

  it("invariant 6: the issuer that logs every statement has seen verifiers only", async () => {
    const log = await readFile(join(run.issuerFolder, "postgres.log"), "utf8");
    expect(log).toMatch(/statement: [^\n]*ALTER ROLE "b_[0-9a-f]+" [^\n]*PASSWORD 'SCRAM-SHA-256\$/);
    expect(await scanFolder(run.issuerFolder, needles)).toEqual([]);
  });
});
