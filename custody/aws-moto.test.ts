import { afterAll, beforeAll, describe, it, onTestFinished } from "vitest";
import { freshRef, openAws } from "../test/custody/aws-place.ts";
import { makeCertificates } from "../test/harness/aws/authority.ts";
import { hasMoto, noMoto, startMoto, type Moto } from "../test/harness/moto.ts";
import { needs } from "../test/harness/needs.ts";
import { proxyHttp, type HttpCall } from "../test/harness/proxy/http.ts";
import { custodyClauses } from "./suite.ts";

/** The account that moto plays. */
const account = "123456789012";
const isCreation = ({ headers }: HttpCall) => headers["x-amz-target"] === "secretsmanager.CreateSecret";

let moto: Moto | undefined;
beforeAll(async () => {
  if (hasMoto) moto = await startMoto();
});
afterAll(async () => {
  await moto?.stop();
});

// The second witness: what moto and the stand-in agree on was not made up by us.
describe("custody in moto, with signatures verified", () => {
  for (const clause of custodyClauses)
    it(clause.name, async (context) => {
      needs(context, moto !== undefined, noMoto);
      const front = makeCertificates();
      const proxy = await proxyHttp(moto.url, { ca: moto.ca, tls: front });
      onTestFinished(() => proxy.close());
      const { custody } = await openAws({ url: proxy.url, ca: front.ca }, account, moto.admin);
      const { custody: other } = await openAws(moto, account, moto.admin);
      await clause.check({
        custody,
        other,
        freshRef,
        losesNextAnswer: () => void proxy.meet(isCreation, { do: "lose-answer" }),
        losesNextWrite: () => void proxy.meet(isCreation, { do: "answer", status: 502 }),
      });
    });
});
