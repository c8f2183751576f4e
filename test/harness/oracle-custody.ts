import type { CustodyWitness, Resting } from "./custody/witness.ts";
import type { AskLedger, Books } from "./oracle-books.ts";
import type { World } from "./world.ts";

type Kept = Pick<Books, "ledger" | "credentialId"> & { readonly world: Pick<World, "elsewhere"> };

interface Found extends Resting {
  readonly place: string;
}

/** What the ledger's own table shows is sealed. */
const inLedger = (ledger: AskLedger): Pick<CustodyWitness, "place" | "resting"> => ({
  place: "embedded",
  async resting(credentialId) {
    const rows = await ledger("SELECT key FROM custody_values WHERE key LIKE $1", [`${credentialId}/%`]);
    return rows.map(({ key }) => ({ number: Number(String(key).split("/")[1]), state: "kept" }));
  },
});

/** All that lies anywhere of a credential's values. */
export async function restingOf(
  ledger: AskLedger,
  elsewhere: readonly CustodyWitness[],
  credentialId: string,
): Promise<readonly Found[]> {
  const found = [inLedger(ledger), ...elsewhere].map(async ({ place, resting }) =>
    (await resting(credentialId)).map((each) => ({ ...each, place })),
  );
  return (await Promise.all(found)).flat();
}

const said = (found: readonly Found[]): string =>
  found.length === 0
    ? "gone"
    : found.map(({ state, place }) => (state === "kept" ? `kept in ${place}` : `half gone in ${place}`)).join(" and ");

/** The credential's place has the value of each version that lives and of no other, and no other place has any. */
export async function wrongKept({ ledger, credentialId, world }: Kept): Promise<readonly string[]> {
  const found = await restingOf(ledger, world.elsewhere, credentialId);
  const versions = await ledger(
    `SELECT v.number, v.state, c.custody FROM versions v JOIN credentials c ON c.id = v.credential_id
     WHERE c.id = $1 ORDER BY v.number`,
    [credentialId],
  );
  const breaches = versions.flatMap(({ number, state, custody }) => {
    const wanted = state === "live" ? `kept in ${String(custody)}` : "gone";
    const is = said(found.filter((each) => each.number === number));
    return is === wanted ? [] : [`invariant 3: version ${String(number)} is ${String(state)} and its value is ${is}.`];
  });
  const known = versions.map(({ number }) => Number(number));
  for (const each of found)
    if (!known.includes(each.number))
      breaches.push(`invariant 2: a value of version ${each.number}, which nobody knows, is ${said([each])}.`);
  return [...breaches, ...(await unbooked(ledger, found, credentialId))];
}

/** What holds at every moment: a version that counts has its value, and the ledger knows of each place in use. */
export async function lostValue(
  ledger: AskLedger,
  elsewhere: readonly CustodyWitness[],
  credentialId: string,
): Promise<readonly string[]> {
  const found = await restingOf(ledger, elsewhere, credentialId);
  const rows = await ledger("SELECT number, state FROM versions WHERE credential_id = $1 AND state = ANY($2)", [
    credentialId,
    ["live", "disabled"],
  ]);
  const has = (number: unknown) => found.some((each) => each.number === number && each.state === "kept");
  return [
    ...rows
      .filter(({ number }) => !has(number))
      .map(
        ({ number, state }) => `invariant 3: version ${String(number)} is ${String(state)} and nobody has its value.`,
      ),
    ...(await unbooked(ledger, found, credentialId)),
  ];
}

/** For the moment at which custody has just said that it has it. */
export async function notKept(
  ledger: AskLedger,
  elsewhere: readonly CustodyWitness[],
  credentialId: string,
  number: number,
): Promise<readonly string[]> {
  const found = await restingOf(ledger, elsewhere, credentialId);
  if (found.some((each) => each.number === number && each.state === "kept")) return [];
  return [`invariant 3: custody took the value of version ${number}, and it is in no place.`];
}

/** Before a value lies in a place, the ledger has that written down: nobody would look for it there otherwise. */
async function unbooked(ledger: AskLedger, found: readonly Found[], credentialId: string): Promise<readonly string[]> {
  const rows = await ledger("SELECT key, place FROM custody_places WHERE key LIKE $1", [`${credentialId}/%`]);
  const book = new Map(rows.map(({ key, place }) => [Number(String(key).split("/")[1]), String(place)]));
  return found
    .filter(({ place, number }) => place !== (book.get(number) ?? "embedded"))
    .map((each) => `invariant 3: a value of version ${each.number} is ${said([each])}, where the ledger sends nobody.`);
}

/** What rests in a place that shows what it holds is what the consumer has been given. */
export async function wrongValue({ world, credentialId }: Kept, given: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(world.elsewhere.map(async ({ resting }) => resting(credentialId)));
  return found
    .flat()
    .filter(({ text }) => text !== undefined && !given.every((secret) => text.includes(secret)))
    .map(({ number }) => `invariant 3: what rests for version ${number} is not what its consumer holds.`);
}
