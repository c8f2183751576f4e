import { createHash, randomUUID } from "node:crypto";
import { PermanentError } from "../../../domain/errors.ts";
import { Secret } from "../../../providers/contract/secret.ts";
import { revealField } from "../../../providers/contract/value.ts";
import { wrongDeliver, wrongObserve, type WrongConsumer } from "./wrong-consumer.ts";
import type { Observation } from "../../../providers/contract/consumer.ts";

const plainHash = (text: string): string => createHash("sha256").update(text).digest("hex");

export const wrongAtLooking: readonly WrongConsumer[] = [
  {
    name: "observes its memory instead of the target",
    caughtBy: "5 observe looks at the target, not into its memory",
    twist: {
      session(right) {
        let remembered: Observation | undefined;
        return {
          observe: async () => remembered ?? right.observe(),
          async deliver(delivery) {
            const done = await right.deliver(delivery);
            remembered = await right.observe();
            return done;
          },
        };
      },
    },
  },
  wrongObserve(
    "keeps the number to itself",
    "5 observe shows what deliver told, to every worker",
    ({ digest, isEmpty, holds }) => ({ digest, isEmpty, holds }),
  ),
  wrongObserve(
    "calls a target empty that somebody wrote",
    "12 a target that nobody wrote is empty, one that anybody wrote is not",
    (seen) => ({ ...seen, isEmpty: seen.number === undefined }),
  ),
  {
    name: "gives every content the same digest",
    caughtBy: "12 the digest follows our keys' content and nothing else",
    twist: {
      session: (right) => ({
        observe: async () => ({ ...(await right.observe()), digest: "same" }),
        deliver: async ({ version, number, value }) => {
          await right.deliver({ version, number, value });
          return { digest: "same" };
        },
      }),
    },
  },
  {
    name: "gives a digest that anybody can compute",
    caughtBy: "6 the digest is keyed",
    twist: {
      session: (right, store) => {
        const digest = () => plainHash(JSON.stringify(store.document.entries));
        return {
          observe: async () => ({ ...(await right.observe()), digest: digest() }),
          deliver: async ({ version, number, value }) => {
            await right.deliver({ version, number, value });
            return { digest: digest() };
          },
        };
      },
    },
  },
  wrongObserve("holds a value that begins alike", "13 it holds exactly the value and no other", (seen, store) => ({
    ...seen,
    holds: (value) => (store.document.entries["DB_PASSWORD"] ?? "").startsWith(revealField(value, "password")),
  })),
  wrongObserve("holds a value that was cut", "13 it does not hold a value that was cut on the way", (seen, store) => ({
    ...seen,
    holds: (value) => revealField(value, "password").startsWith(store.document.entries["DB_PASSWORD"] ?? ""),
  })),
  {
    name: "preflight writes to see whether it may",
    caughtBy: "16 preflight finds nothing wrong where nothing is, and does nothing",
    twist: {
      session: (right, store) => ({
        preflight() {
          if (!store.isReadOnly && !store.isMalformed) store.write(store.document);
          return right.preflight();
        },
      }),
    },
  },
  {
    name: "notes every look at the target",
    caughtBy: "16 looking has no effect",
    twist: {
      session: (right, store) => ({
        observe() {
          if (!store.isMalformed) store.write(store.document);
          return right.observe();
        },
      }),
    },
  },
  {
    name: "preflight does not look whether it may write",
    caughtBy: "16 a target that cannot be written is said so, and keeps what it has",
    twist: { session: () => ({ preflight: () => Promise.resolve([]) }) },
  },
  wrongDeliver(
    "says that it cannot write where there is no room",
    "16 a full target is said so, and keeps what it has",
    (right, store, delivery) => {
      if (store.isFull) throw new PermanentError("target_read_only", "The store cannot be written.");
      return right.deliver(delivery);
    },
  ),
  {
    name: "starts afresh where it cannot read",
    caughtBy: "16 a target that cannot be read is left as it is",
    twist: {
      session: (right, store) => ({
        deliver(delivery) {
          store.isMalformed = false;
          return right.deliver(delivery);
        },
      }),
    },
  },
  {
    name: "gives one target two addresses",
    caughtBy: "3 a target is one address, told without access",
    twist: { definition: () => ({ targetOf: () => `reference-store:${randomUUID()}` }) },
  },
  {
    name: "has one address at all systems",
    caughtBy: "3 a connection's own address is part of the target, and only teams that it lists may use it",
    twist: { definition: () => ({ targetOf: ({ name }) => `reference-store:${name}` }) },
  },
  {
    name: "lets every team use every connection",
    caughtBy: "3 a connection's own address is part of the target, and only teams that it lists may use it",
    twist: { definition: () => ({ refuses: () => undefined }) },
  },
  {
    name: "takes a word that every object has for a team that is listed",
    caughtBy: "3 a connection's own address is part of the target, and only teams that it lists may use it",
    twist: {
      definition: () => ({
        refuses: ({ teams }, _config, team) =>
          team in Object.fromEntries(teams.map((one) => [one, true])) ? undefined : `Add ${team}.`,
      }),
    },
  },
  {
    name: "has a reload that reaches nobody",
    caughtBy: "3 reload reaches the consumer",
    twist: { session: () => ({ reload: () => Promise.resolve() }) },
  },
  wrongDeliver(
    "tells the value in its error",
    "6 no secret is in an error, a finding or the log",
    (right, _, delivery) =>
      right.deliver(delivery).catch(() => {
        throw new PermanentError("internal", `Could not write ${revealField(delivery.value, "password")}.`);
      }),
  ),
  {
    name: "tells the value in its log",
    caughtBy: "6 no secret is in an error, a finding or the log",
    twist: {
      definition: (right) => ({
        async open(opening, context) {
          const session = await right.open(opening, context);
          return {
            ...session,
            deliver(delivery) {
              const { password } = delivery.value;
              context.log("deliver", { value: password instanceof Secret ? password.reveal() : "" });
              return session.deliver(delivery);
            },
          };
        },
      }),
    },
  },
];
