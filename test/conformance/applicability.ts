/** Thrown where a clause does not apply to a world: the suite skips it by name, with this reason. */
class NotApplicable extends Error {
  override readonly name = "NotApplicable";
}

export function notApplicable(reason: string): never {
  throw new NotApplicable(reason);
}

/** Says, to the reader, why a world cannot do something. */
export interface Lacks {
  readonly lacks: string;
}

export type Verdict =
  | { readonly verdict: "kept" }
  | { readonly verdict: "broken"; readonly error: unknown }
  | { readonly verdict: "not applicable"; readonly reason: string };

/** Judges by one clause, in a world of its own. */
export async function judge<World extends { close(): Promise<void> }>(
  makeWorld: () => Promise<World>,
  clause: (world: World) => Promise<void>,
): Promise<Verdict> {
  const world = await makeWorld();
  try {
    await clause(world);
    return { verdict: "kept" };
  } catch (error) {
    if (error instanceof NotApplicable) return { verdict: "not applicable", reason: error.message };
    return { verdict: "broken", error };
  } finally {
    await world.close();
  }
}
