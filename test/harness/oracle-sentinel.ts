import type { Scene } from "./oracle.ts";
import type { ShopReport, ShopTrouble } from "./shop.ts";

/** What the application or its sentinel noticed that it should not have. */
export async function noticedTrouble(scene: Scene, report: ShopReport): Promise<readonly string[]> {
  const { order } = scene;
  if (report.logins < 10)
    return [`invariant 1: the sentinel logged in only ${report.logins} times; it has seen nothing.`];
  const isAllowed = order === "overlap" ? () => false : await outageOf(scene);
  return report.troubles
    .filter((trouble) => !isAllowed(trouble))
    .map(({ code, held }) => `invariant 1: with the login ${held + 1} in its file the application met ${code}.`);
}

/** A single slot's outage: from the cut, while the file still holds the former value; and the same back again. */
async function outageOf({ ledger, rotationId }: Scene): Promise<(trouble: ShopTrouble) => boolean> {
  const rows = await ledger(
    `SELECT step, extract(epoch FROM created_at) * 1000 AS from, extract(epoch FROM done_at) * 1000 AS until
     FROM operations WHERE rotation_id = $1 AND step IN ('cut', 'cut-back')`,
    [rotationId],
  );
  const at = (step: string, end: "from" | "until"): number =>
    Number(rows.find((row) => row["step"] === step)?.[end] ?? Number.NaN);
  // Where nothing was delivered before the slot was cut back, the first login stays in the file and works again.
  const isCutBack = rows.some(({ step }) => step === "cut-back");
  return ({ code, beganAt, held }) => {
    // Whoever had begun to log in when the former value came back is ended and has to come again: nobody can say on which.
    // The first login is in the file then too, if nothing else had been delivered there; it cannot have come in since the cut.
    if (code === "57P01")
      return (held === 2 || (held === 0 && beganAt > at("cut", "from"))) && beganAt < at("cut-back", "until");
    if (code !== "28P01") return false;
    // A round that began just before the cut is refused by it.
    if (held === 0) return beganAt > at("cut", "from") - 1_000 && !(isCutBack && beganAt > at("cut-back", "until"));
    return held === 2 && beganAt < at("cut-back", "until");
  };
}
