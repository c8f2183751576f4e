import type { Books } from "./oracle-books.ts";

/** Every place in which a value of this rotation stands that is neither custody nor the target. */
export async function leakedSecrets(scene: Books, secrets: readonly string[]): Promise<readonly string[]> {
  const { world } = scene;
  const forms = [...new Set(secrets)].flatMap(formsOf);
  const texts = [{ place: "a worker's output", text: world.workerOutput() }, ...(await histories(scene))];
  const places = texts.filter(({ text }) => forms.some((form) => text.includes(form))).map(({ place }) => place);
  places.push(...(await tablesWith(scene, forms)));
  return places.map((place) => `invariant 6: a value stands in ${place}.`);
}

/** Plain, hex, and base64 in both alphabets wherever in a longer text it may begin. */
function formsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  const shifted = [0, 1, 2].flatMap((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString("base64");
    // The ends depend on the neighbours; what lies between them does not.
    const inner = text.slice(shift === 0 ? 0 : 4, text.length - 4);
    return [inner, inner.replaceAll("+", "-").replaceAll("/", "_")];
  });
  return [secret, bytes.toString("hex"), ...shifted];
}

async function histories({ temporal, ledger, credentialId, rotationId }: Books) {
  const checks = await ledger("SELECT id FROM checks WHERE subject_id = $1", [credentialId]);
  const ids = [`rotate/${rotationId}`, ...checks.map(({ id }) => `check/${String(id)}`)];
  return Promise.all(
    ids.map(async (id) => {
      const history = await temporal.workflow.getHandle(id).fetchHistory();
      return { place: `the history of ${id}`, text: JSON.stringify(history, bytesAsText) };
    }),
  );
}

function bytesAsText(this: unknown, key: string, value: unknown): unknown {
  const raw: unknown = typeof this === "object" && this !== null ? Reflect.get(this, key) : undefined;
  return raw instanceof Uint8Array ? Buffer.from(raw).toString("utf8") : value;
}

async function tablesWith({ ledger }: Books, forms: readonly string[]): Promise<readonly string[]> {
  const tables = await ledger(
    "SELECT c.oid::regclass::text AS name FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
  );
  const found = [];
  for (const { name } of tables) {
    const [row] = await ledger(
      `SELECT count(*)::int AS count FROM ${String(name)} t, unnest($1::text[]) AS form WHERE strpos(t::text, form) > 0`,
      [forms],
    );
    if (row?.["count"] !== 0) found.push(`the ledger's table ${String(name)}`);
  }
  return found;
}
