import { nearestWord } from "../domain/nearest-word.ts";
import { requestMove } from "../ledger/custody-moves.ts";
import type { Handlers } from "./deps.ts";
import { findCredentialId } from "./find-credential.ts";
import { ProblemError } from "./problem.ts";

export const moveHandlers: Handlers<"moveCredential"> = {
  async moveCredential({ params, body, actor, scope }, { ledger, custody: { places } }) {
    const place = body.custody;
    const credentialId = await findCredentialId(ledger, scope, params.credential);
    if (!places.includes(place)) {
      const nearest = nearestWord(place, places);
      throw new ProblemError(
        "request_invalid",
        `There is no such place. The settings name ${places.join(", ")}${nearest === undefined ? "." : `; did you mean ${nearest}?`}`,
      );
    }
    return { checkId: await requestMove(ledger, { credentialId, place, actor }) };
  },
};
