import { TransientError } from "../../../domain/errors.ts";
import { readMark } from "../reference/mark.ts";
import type { ReferenceServer } from "../reference/server.ts";
import { clear, force, markOver, nameIn, secretIn, someSecret, type WrongIssuer } from "./wrong-issuer.ts";

const oldest = (server: ReferenceServer): string =>
  server.names().toSorted((a, b) => (readMark(server.read(a))?.at ?? 0) - (readMark(server.read(b))?.at ?? 0))[0] ?? "";

export const wrongAtIssue: readonly WrongIssuer[] = [
  {
    name: "makes a new version for a repeated operation key",
    shape: "minted",
    caughtBy: "7.1 the same operation key means the same version",
    twist: {
      session: (right) => ({ issue: (request) => right.issue({ ...request, operationKey: crypto.randomUUID() }) }),
    },
  },
  {
    name: "forgets its leftover when the answer was lost",
    shape: "minted",
    caughtBy: "7.1 a lost answer, repeated, makes no second version",
    twist: {
      session: (right, server) => ({
        issue: (request) => right.issue({ ...request, keep: [...request.keep, ...server.names()] }),
      }),
    },
  },
  {
    name: "sets a value of its own",
    shape: "two slots",
    caughtBy: "7.2 a chosen value is set as it was chosen",
    twist: {
      session: (right) => ({
        issue: (request) => right.issue({ ...request, chosen: { ...request.chosen, password: someSecret() } }),
      }),
    },
  },
  {
    name: "sets the value while it chooses",
    shape: "two slots",
    caughtBy: "7.2 choosing has no effect and never gives a value twice",
    twist: {
      session: (right, server) => ({
        async choose(request) {
          const chosen = await right.choose?.(request);
          if (chosen === undefined) throw new TypeError("the reference chooses");
          force(server, nameIn(chosen.handle), { secret: secretIn(chosen.value) });
          return chosen;
        },
      }),
    },
  },
  {
    name: "ends everything of ours before it mints",
    shape: "minted",
    caughtBy: "7.2 a minted repeat ends only its own leftover with a lower claim",
    twist: {
      session: (right, server) => ({
        issue(request) {
          for (const name of server.names()) server.write(name, undefined);
          return right.issue(request);
        },
      }),
    },
  },
  {
    name: "ends the version that the ledger records",
    shape: "minted",
    caughtBy: "7.2 a minted repeat never ends what the ledger records",
    twist: { session: (right) => ({ issue: (request) => right.issue({ ...request, keep: [] }) }) },
  },
  {
    name: "lists one operation as the maker of all",
    shape: "minted",
    caughtBy: "7.2 a minted version is listed as made by its own operation, or by none",
    twist: {
      session: (right) => ({
        list: async () =>
          (await right.list()).map((each, _at, [first]) =>
            first?.operationKey === undefined ? each : { ...each, operationKey: first.operationKey },
          ),
      }),
    },
  },
  {
    name: "ignores keep",
    shape: "two slots",
    caughtBy: "7.3 what is in keep is never touched",
    twist: {
      session: (right, server) => ({
        issue(request) {
          void clear(server, nameIn(request.handle));
          return right.issue({ ...request, keep: [] });
        },
      }),
    },
  },
  {
    name: "ends the oldest when there is no room",
    shape: "minted",
    caughtBy: "7.3 never the oldest",
    twist: {
      session: (right, server) => ({
        issue(request) {
          if (server.names().length >= server.capacity) server.write(oldest(server), undefined);
          return right.issue(request);
        },
      }),
    },
  },
  {
    name: "waits for room as if it came by itself",
    shape: "two slots",
    caughtBy: "7.3 no room needs an operator",
    twist: {
      session: (right) => ({
        choose: async (request) =>
          right.choose?.(request).catch(() => {
            throw new TransientError("no_free_slot", "Later.");
          }) ?? Promise.reject(new TypeError("the reference chooses")),
      }),
    },
  },
  {
    name: "takes the slot of what it does not know",
    shape: "two slots",
    caughtBy: "7.3 a version that a person made is not touched",
    twist: {
      session: (right, server) => ({
        async choose(request) {
          for (const name of server.names()) if (server.read(name)?.mark === undefined) await clear(server, name);
          return right.choose?.(request) ?? Promise.reject(new TypeError("the reference chooses"));
        },
      }),
    },
  },
  {
    name: "believes a mark that no longer fits",
    shape: "two slots",
    caughtBy: "7.3 a slot that a person revived is a stranger's",
    twist: {
      session: (right, server) => ({
        list: async () =>
          (await right.list()).map((listed) => ({
            ...listed,
            ours: readMark(server.read(nameIn(listed.handle)))?.credential === "crd_reference",
          })),
      }),
    },
  },
  {
    name: "ends what another instance marked",
    shape: "two slots",
    caughtBy: "7.3 another instance's version is not touched",
    twist: {
      session: (right, server) => ({
        revoke(request) {
          const isTheirs = readMark(server.read(nameIn(request.handle)))?.instance !== "ins_reference";
          return isTheirs ? clear(server, nameIn(request.handle)) : right.revoke(request);
        },
      }),
    },
  },
  {
    name: "issues a value with a line break",
    shape: "two slots",
    caughtBy: "7.7 what is issued is fit to keep",
    twist: {
      session: (right) => ({
        async issue(request) {
          const made = await right.issue(request);
          return { ...made, value: { ...made.value, username: `${nameIn(made.handle)}\n` } };
        },
      }),
    },
  },
  {
    name: "issues a redacted value",
    shape: "minted",
    caughtBy: "7.7 what is issued is fit to keep",
    twist: {
      session: (right) => ({
        async issue(request) {
          const made = await right.issue(request);
          return { ...made, value: { ...made.value, secretKey: "********" } };
        },
      }),
    },
  },
  {
    name: "sets whatever it is given",
    shape: "two slots",
    caughtBy: "7.7 an unfit chosen value is refused before it is set",
    twist: {
      session: (right, server) => ({
        issue(request) {
          if (request.chosen === undefined) return right.issue(request);
          const [name, mark] = [nameIn(request.handle), markOver(server, request)];
          force(server, name, { secret: secretIn(request.chosen), enabled: true, mark });
          const effectiveAt = new Date(server.now()).toISOString();
          return Promise.resolve({ handle: request.handle, value: request.chosen, effectiveAt });
        },
      }),
    },
  },
  {
    name: "abandons by the handle alone",
    shape: "minted",
    caughtBy: "7.7 an unfit minted value is refused and can be abandoned",
    twist: {
      session: (_, server) => ({
        abandon(request) {
          server.write(request.handle, undefined);
          return Promise.resolve();
        },
      }),
    },
  },
  {
    name: "uses a handle again",
    shape: "two slots",
    caughtBy: "3 a handle names one version and is never used again",
    twist: {
      definition: (right) => ({ handleOf: (config, value) => right.handleOf(config, value, 1) }),
      session: (right) => ({
        choose: (request) =>
          right.choose?.({ ...request, version: 1 }) ?? Promise.reject(new TypeError("the reference chooses")),
      }),
    },
  },
  {
    name: "uses a login that it does not declare",
    shape: "two slots",
    caughtBy: "3 every login of a version is a principal that the configuration names",
    twist: { definition: () => ({ principalsOf: () => ["orders"] }) },
  },
  {
    name: "accepts an outdated claim",
    shape: "two slots",
    caughtBy: "5 an outdated claim cannot issue",
    twist: {
      session: (right, server) => ({
        issue: (request) => right.issue({ ...request, claim: { epoch: 2, number: server.now() } }),
      }),
    },
  },
  {
    name: "overwrites a later version",
    shape: "one slot",
    caughtBy: "5 a late issue of version 1 does not overwrite version 2",
    twist: {
      session: (right, server) => ({
        issue(request) {
          force(server, nameIn(request.handle), { mark: undefined });
          return right.issue(request);
        },
      }),
    },
  },
  {
    name: "leaves no trace of an abandoned version",
    shape: "two slots",
    caughtBy: "5 a late issue cannot revive what was abandoned",
    twist: {
      session: (right, server) => ({
        async abandon(request) {
          await right.abandon(request);
          force(server, nameIn(request.handle), { mark: undefined });
        },
      }),
    },
  },
];
