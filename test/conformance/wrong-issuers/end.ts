import { PermanentError } from "../../../domain/errors.ts";
import { readMark } from "../reference/mark.ts";
import { clear, force, markOver, nameIn, someSecret, type WrongIssuer } from "./wrong-issuer.ts";

const gone = () => Promise.reject(new PermanentError("principal_missing", "There is no such version."));

export const wrongAtEnd: readonly WrongIssuer[] = [
  {
    name: "abandons the former version too",
    shape: "two slots",
    caughtBy: "7.4 an abandoned candidate is refused and nothing else is",
    twist: {
      session: (right, server) => ({
        async abandon(request) {
          await right.abandon(request);
          for (const name of server.names()) await clear(server, name);
        },
      }),
    },
  },
  {
    name: "abandon fails when the candidate is gone already",
    shape: "two slots",
    caughtBy: "7.4 abandon succeeds when the candidate is gone or never was",
    twist: {
      session: (right, server) => ({
        abandon: (request) =>
          server.read(nameIn(request.handle))?.secret === undefined ? gone() : right.abandon(request),
      }),
    },
  },
  {
    name: "abandon does not bring the former value back",
    shape: "one slot",
    caughtBy: "7.4 abandon in a single slot brings the former value back",
    twist: {
      session: (right) => ({
        abandon: ({ handle, operationKey, claim }) => right.abandon({ handle, operationKey, claim }),
      }),
    },
  },
  {
    name: "says revoked and does nothing",
    shape: "two slots",
    caughtBy: "7.4 a revoked version is refused and nothing else is",
    twist: { session: () => ({ revoke: () => Promise.resolve() }) },
  },
  {
    name: "revoke fails when the version is gone",
    shape: "minted",
    caughtBy: "7.4 revoke succeeds when the version is gone",
    twist: {
      session: (right, server) => ({
        revoke: (request) => (server.read(request.handle) === undefined ? gone() : right.revoke(request)),
      }),
    },
  },
  {
    name: "ends only what it made itself",
    shape: "two slots",
    caughtBy: "7.4 a version made by hand before us is ended by its handle alone",
    twist: {
      session: (right, server) => ({
        revoke: (request) =>
          server.read(nameIn(request.handle))?.mark === undefined ? Promise.resolve() : right.revoke(request),
      }),
    },
  },
  {
    name: "lists a disabled version as ended",
    shape: "two slots",
    caughtBy: "7.4 what is listed is what there is",
    twist: {
      session: (right) => ({
        list: async () =>
          (await right.list()).map((listed) => ({ ...listed, state: listed.state === "live" ? "live" : "ended" })),
      }),
    },
  },
  {
    name: "hides strangers",
    shape: "two slots",
    caughtBy: "2 a stranger is listed, and not as ours",
    twist: { session: (right) => ({ list: async () => (await right.list()).filter(({ ours }) => ours) }) },
  },
  {
    name: "calls strangers ours",
    shape: "minted",
    caughtBy: "2 a stranger is listed, and not as ours",
    twist: {
      session: (right) => ({ list: async () => (await right.list()).map((listed) => ({ ...listed, ours: true })) }),
    },
  },
  {
    name: "calls every listed version ours, whoever asks",
    shape: "two slots",
    caughtBy: "7.2 what is issued is marked as ours",
    twist: {
      session: (right) => ({ list: async () => (await right.list()).map((listed) => ({ ...listed, ours: true })) }),
    },
  },
  {
    name: "a late revoke ends whatever is in the slot",
    shape: "two slots",
    caughtBy: "5 a late revoke of version 1 does not hit version 3",
    twist: { session: (_, server) => ({ revoke: (request) => clear(server, nameIn(request.handle)) }) },
  },
  {
    name: "looks at the slot first and ends it later",
    shape: "two slots",
    caughtBy: "5 a revoke held up on its way does not hit version 3",
    twist: {
      session: (right, server) => ({
        async revoke(request) {
          const name = nameIn(request.handle);
          const isThere = readMark(server.read(name))?.version === Number(request.handle.split("#")[1]);
          await right.revoke(request).catch(() => undefined);
          if (isThere) await clear(server, name);
        },
      }),
    },
  },
  {
    name: "a late abandon ends whatever is in the slot",
    shape: "two slots",
    caughtBy: "5 a late abandon of version 1 does not hit version 3",
    twist: { session: (_, server) => ({ abandon: (request) => clear(server, nameIn(request.handle)) }) },
  },
  {
    name: "disables at an outdated claim",
    shape: "two slots",
    caughtBy: "5 a late disable does not undo a later enable",
    twist: {
      session: (right) => ({
        disable: (request) => right.disable?.({ ...request, claim: { epoch: 2, number: 1 } }) ?? Promise.resolve(),
      }),
    },
  },
  {
    name: "disables whatever is in the slot",
    shape: "two slots",
    caughtBy: "5 a late disable of version 1 does not hit version 3",
    twist: {
      session: (_, server) => ({
        disable(request) {
          force(server, nameIn(request.handle), { enabled: false });
          return Promise.resolve();
        },
      }),
    },
  },
  {
    name: "disables so that nothing brings it back",
    shape: "minted",
    caughtBy: "5 disabling refuses, enabling brings the same value back",
    twist: { session: (right) => ({ disable: (request) => right.revoke(request) }) },
  },
  {
    name: "enables with a different value",
    shape: "two slots",
    caughtBy: "5 disabling refuses, enabling brings the same value back",
    twist: {
      session: (right) => ({
        enable: (request) =>
          right.enable?.({ ...request, value: { ...request.value, password: someSecret() } }) ?? Promise.resolve(),
      }),
    },
  },
  {
    name: "enables without setting the value",
    shape: "two slots",
    caughtBy: "5 enabling sets our value again",
    twist: {
      session: (_, server) => ({
        enable(request) {
          force(server, nameIn(request.handle), { enabled: true, mark: markOver(server, request) });
          return Promise.resolve();
        },
      }),
    },
  },
  {
    name: "endSessions ends the sessions of every version",
    shape: "two slots",
    caughtBy: "5 a session that outlives revocation can be ended",
    twist: {
      session: (right, server) => ({
        endSessions(request) {
          for (const { id } of [...server.sessions]) server.kill(id);
          return right.endSessions?.(request) ?? Promise.resolve({ ended: 0, remaining: 0 });
        },
      }),
    },
  },
  {
    name: "endSessions says none remain while one is",
    shape: "two slots",
    caughtBy: "5 endSessions never says none while one is",
    twist: {
      session: (right) => ({
        async endSessions(request) {
          const { ended = 0, remaining = 0 } = (await right.endSessions?.(request)) ?? {};
          return { ended: ended + remaining, remaining: 0 };
        },
      }),
    },
  },
  {
    name: "endSessions goes by the login alone",
    shape: "two slots",
    caughtBy: "5 endSessions for version 1 leaves version 3's alone",
    twist: {
      session: (_, server) => ({
        endSessions(request) {
          const meant = server.sessions.filter(({ name }) => name === nameIn(request.handle));
          for (const { id } of meant) server.kill(id);
          return Promise.resolve({ ended: meant.length, remaining: 0 });
        },
      }),
    },
  },
  {
    name: "endSessions does not look when a session began",
    shape: "one slot",
    caughtBy: "5 endSessions ends only what began before the time given",
    twist: {
      session: (right) => ({
        endSessions: ({ handle, operationKey, claim }) =>
          right.endSessions?.({ handle, operationKey, claim }) ?? Promise.resolve({ ended: 0, remaining: 0 }),
      }),
    },
  },
  {
    name: "endSessions forgets since when",
    shape: "one slot",
    caughtBy: "5 endSessions ends only what began since the time given",
    twist: {
      session: (right) => ({
        endSessions: ({ since: _, ...request }) =>
          right.endSessions?.(request) ?? Promise.resolve({ ended: 0, remaining: 0 }),
      }),
    },
  },
  {
    name: "enables nothing without a value",
    shape: "two slots",
    caughtBy: "5 enabling without the value brings back what was there",
    twist: {
      session: (right) => ({
        enable: (request) =>
          request.value === undefined ? Promise.resolve() : (right.enable?.(request) ?? Promise.resolve()),
      }),
    },
  },
];
