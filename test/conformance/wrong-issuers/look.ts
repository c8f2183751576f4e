import { OperatorNeededError, PermanentError, TransientError } from "../../../domain/errors.ts";
import { ownLabel } from "../reference/issuer-world.ts";
import type { ReferenceServer } from "../reference/server.ts";
import { force, loginIn, secretIn, type WrongIssuer } from "./wrong-issuer.ts";

const broken = new WeakSet<ReferenceServer>();

export const wrongAtLooking: readonly WrongIssuer[] = [
  {
    name: "usage leaves out a session",
    shape: "two slots",
    caughtBy: "7.6 usage shows every session of a version, and of no other",
    twist: {
      session: (right) => ({
        async usage(handles) {
          const all = (await right.usage?.(handles)) ?? { at: "", sessions: {} };
          const some = Object.entries(all.sessions).map(([handle, seen]) => [handle, seen.slice(0, 1)] as const);
          return { ...all, sessions: Object.fromEntries(some) };
        },
      }),
    },
  },
  {
    name: "tells the last use of any version",
    shape: "minted, with last use",
    caughtBy: "7.6 a use is told with its time to the declared grain, of the version that was used and of no other",
    twist: {
      session: (right) => ({
        async lastUses(handles) {
          const told = (await right.lastUses?.(handles)) ?? { at: "", lastUsed: {} };
          const any = Object.values(told.lastUsed).find((use) => use !== null) ?? null;
          return { ...told, lastUsed: Object.fromEntries(handles.map((handle) => [handle, any])) };
        },
      }),
    },
  },
  {
    name: "usage excuses a session by its application name",
    shape: "two slots",
    caughtBy: "7.6 a name that a session gives itself excuses nobody",
    twist: {
      session: (right) => ({
        async usage(handles) {
          const all = (await right.usage?.(handles)) ?? { at: "", sessions: {} };
          const some = Object.entries(all.sessions).map(
            ([handle, seen]) => [handle, seen.filter((each) => each.applicationName !== ownLabel)] as const,
          );
          return { ...all, sessions: Object.fromEntries(some) };
        },
      }),
    },
  },
  {
    name: "takes its own logins for an application's",
    shape: "two slots",
    caughtBy: "7.6 rekey's own logins are left out",
    twist: {
      session: (right, server) => ({
        probe(request) {
          server.openSession(loginIn(request.value), ownLabel);
          return right.probe(request);
        },
      }),
    },
  },
  {
    name: "reports effectiveAt from its own clock",
    shape: "two slots",
    caughtBy: "4 every time is the issuer's own",
    twist: {
      session: (right) => ({
        issue: async (request) => ({ ...(await right.issue(request)), effectiveAt: new Date().toISOString() }),
      }),
    },
  },
  {
    name: "reports the time of usage from its own clock",
    shape: "minted",
    caughtBy: "4 every time is the issuer's own",
    twist: {
      session: (right) => ({
        usage: async (handles) => ({
          sessions: (await right.usage?.(handles))?.sessions ?? {},
          at: new Date().toISOString(),
        }),
      }),
    },
  },
  {
    name: "identifies a server by its address",
    shape: "two slots",
    caughtBy: "5 the identity is the server's, the same for all and no other's",
    twist: { session: () => ({ identify: () => Promise.resolve("127.0.0.1:5432") }) },
  },
  {
    name: "preflight writes to see whether it may",
    shape: "two slots",
    caughtBy: "16 preflight finds nothing wrong where nothing is, and does nothing",
    twist: {
      session: (right, server) => ({
        preflight(request) {
          for (const name of server.names()) force(server, name, { limit: 100 });
          return right.preflight(request);
        },
      }),
    },
  },
  {
    name: "preflight does not look at rights",
    shape: "minted",
    caughtBy: "16 preflight names the right that is missing",
    twist: { session: () => ({ preflight: () => Promise.resolve([]) }) },
  },
  {
    name: "says that nobody answers when its own login is refused",
    shape: "two slots",
    caughtBy: "16 a wrong secret of the connection is said as such",
    twist: {
      definition: (right) => ({
        open: (opening, context) =>
          right.open(opening, context).catch(() => {
            throw new TransientError("issuer_unreachable", "Nobody answers.");
          }),
      }),
    },
  },
  {
    name: "asks an operator to mend what passes by itself",
    shape: "minted",
    caughtBy: "16 an issuer that is down is transient",
    twist: {
      session: (right) => ({
        issue: (request) =>
          right.issue(request).catch(() => {
            throw new OperatorNeededError("issuer_unreachable", "Nobody answers.");
          }),
      }),
    },
  },
  {
    name: "never tries again after an outage",
    shape: "two slots",
    caughtBy: "16 an issuer that was away is used again",
    twist: {
      session: (right, server) => ({
        async issue(request) {
          if (broken.has(server)) throw new TransientError("issuer_unreachable", "Nobody answers.");
          if (server.isDown) broken.add(server);
          return right.issue(request);
        },
      }),
    },
  },
  {
    name: "manages the connection's own login",
    shape: "two slots",
    caughtBy: "7.8 the connection's own principal is never managed",
    twist: {
      definition: (right) => ({
        open: (opening, context) => {
          const slots = opening.config.slots.filter((name) => name !== "admin");
          return right.open({ ...opening, config: { slots } }, context);
        },
      }),
    },
  },
  {
    name: "tells the value in its error",
    shape: "two slots",
    caughtBy: "6 no secret is in an error or in the log",
    twist: {
      session: (right) => ({
        issue: (request) =>
          right.issue(request).catch(() => {
            throw new PermanentError("internal", `Could not set ${secretIn(request.chosen ?? {})}.`);
          }),
      }),
    },
  },
  {
    name: "tells the value in its log",
    shape: "two slots",
    caughtBy: "6 no secret is in an error or in the log",
    twist: {
      definition: (right) => ({
        async open(opening, context) {
          const session = await right.open(opening, context);
          return {
            ...session,
            probe(request) {
              context.log("probe", { of: secretIn(request.value) });
              return session.probe(request);
            },
          };
        },
      }),
    },
  },
  {
    name: "goes on although it was told to stop",
    shape: "two slots",
    caughtBy: "6 a cancelled call has no effect",
    twist: {
      definition: (right) => ({
        open: (opening, context) => right.open(opening, { ...context, signal: new AbortController().signal }),
      }),
    },
  },
  {
    name: "can disable and does not say so",
    shape: "two slots",
    caughtBy: "3 an optional ability is absent, never a stub",
    twist: { definition: ({ facts }) => ({ facts: { ...facts, canDisable: false } }) },
  },
  {
    name: "has a stub for what it cannot do",
    shape: "minted",
    caughtBy: "3 an optional ability is absent, never a stub",
    twist: { session: () => ({ choose: () => Promise.reject(new TypeError("not supported")) }) },
  },
];
