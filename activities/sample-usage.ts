import { recordUsage } from "../ledger/usage-samples.ts";
import type { RotationCase } from "../ledger/rotation-cases.ts";
import type { ProviderContext } from "../providers/contract/context.ts";
import type { IssuerSession, LastUses, Usage, WatchSpan } from "../providers/contract/issuer.ts";
import type { RoundQuestion } from "./evidence-round.ts";
import { askLastUse } from "./last-use.ts";
import { noteStrangers } from "./old-users.ts";
import { withIssuer } from "./reach.ts";
import type { StepDeps } from "./step-deps.ts";

/** So many rotations at most are watched by one worker at a time: whoever watches keeps one of its slots. */
const mostWatching = 25;
let watching = 0;

interface Sampled {
  readonly uses: LastUses | undefined;
  /** So long somebody watched without a break; 0: there was one look. */
  readonly keptWatchMs: number;
}

/** An issuer that has no usage signal leaves no sample. When the old version was last used is asked where it is judged. */
export async function sampleUsage(
  deps: StepDeps,
  one: RotationCase,
  { expected, unwanted, purpose, sinceAsked, watchMs = 0 }: RoundQuestion,
  context: ProviderContext,
): Promise<Sampled> {
  const handles = [expected, unwanted].flatMap((version) => version?.handle ?? []);
  const isJudged = sinceAsked || purpose === "abandon";
  return withIssuer(deps, one, context, async (session) => {
    const { usage, keptWatchMs } = await watchOrLook(session, handles, { forMs: watchMs, backMs: one.askedForMs });
    if (usage !== undefined) {
      await recordUsage(deps.ledger, one.rotationId, usage);
      // Whoever is suspected is registered all the same.
      await noteStrangers(deps, { ...one, consumers: [...one.consumers, ...one.suspects] }, usage);
    }
    return { uses: isJudged ? await askLastUse(deps, one, session, unwanted?.handle) : undefined, keptWatchMs };
  });
}

/** Beyond what there is room for, looks now and then have to do. */
async function watchOrLook(
  session: IssuerSession,
  handles: readonly string[],
  span: WatchSpan,
): Promise<{ readonly usage: Usage | undefined; readonly keptWatchMs: number }> {
  if (session.watch === undefined || span.forMs <= 0 || watching >= mostWatching)
    return { usage: await session.usage?.(handles), keptWatchMs: 0 };
  watching += 1;
  try {
    return { usage: await session.watch(handles, span), keptWatchMs: span.forMs };
  } finally {
    watching -= 1;
  }
}
