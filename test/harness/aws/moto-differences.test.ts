import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { hasMoto, noMoto, startMoto, type Moto } from "../moto.ts";
import { needs } from "../needs.ts";
import { awsClients, type AwsEndpoint, type AwsKeys, type ClientOptions } from "./clients.ts";
import { fresh, type Witness } from "./difference.ts";
import { differencesOfIdentities } from "./differences-of-identities.ts";
import { differencesOfSecrets } from "./differences-of-secrets.ts";
import { FakeAws } from "./fake-aws.ts";
import { gentle } from "./settings.ts";

const closing: (() => void)[] = [];
let fake: FakeAws;
let moto: Moto | undefined;

beforeAll(async () => {
  // Nothing is refused by chance, but nobody ever hears of a fresh key: what needs one takes a key that was there.
  fake = await FakeAws.start({ ...gentle, freshKeyLagMs: 1e12, withoutStage: "current" });
  fake.addUser("admin");
  if (hasMoto) moto = await startMoto();
});

afterAll(async () => {
  for (const close of closing.splice(0)) close();
  fake.close();
  await moto?.stop();
});

function witness(endpoint: AwsEndpoint, admin: AwsKeys, keys: Witness["keys"]): Witness {
  const as = (whose: AwsKeys, options: ClientOptions = {}) => {
    const clients = awsClients(endpoint, whose, { region: "us-east-1", ...options });
    closing.push(() => clients.close());
    return clients;
  };
  return { admin: as(admin), as, keys };
}

const fakeWitness = (): Witness =>
  witness(fake, fake.addKey("admin"), async (policies) => {
    const userName = fresh();
    fake.addUser(userName, policies);
    return { userName, ...fake.addKey(userName) };
  });

function motoWitness(): Witness {
  if (moto === undefined) throw new Error(noMoto);
  const { admin, addUser } = moto;
  return witness(moto, admin, async (policies) => {
    const userName = fresh();
    return { userName, ...(await addUser(userName, policies)) };
  });
}

const differences = [...differencesOfIdentities, ...differencesOfSecrets];

describe("where moto differs, the stand-in does what AWS documents", () => {
  test.each(differences)("$what", async ({ ask, aws, documented }) => {
    expect(await ask(fakeWitness()), documented).toEqual(aws);
  });
});

describe("moto differs from AWS's documentation", () => {
  beforeEach((context) => {
    needs(context, hasMoto, noMoto);
  });

  test.each(differences)("$what", async ({ ask, aws, moto: instead, documented }) => {
    const answered = await ask(motoWitness());
    const says = `moto is mended: take this line away. ${documented}`;
    expect(answered, says).not.toEqual(aws);
    expect(answered, "moto differs in a new way").toEqual(instead);
  });
});
