import { OperatorNeededError } from "../../../domain/errors.ts";
import { entriesOf, force, wrongDeliver, type WrongConsumer } from "./wrong-consumer.ts";

export const wrongAtDelivering: readonly WrongConsumer[] = [
  wrongDeliver(
    "says delivered and writes nothing",
    "7.4 what is delivered is what the application reads",
    async (right) => ({ digest: (await right.observe()).digest }),
  ),
  wrongDeliver(
    "takes its own write for drift",
    "7.4 deliver succeeds when it holds already",
    async (right, _, delivery) => {
      const { digest } = await right.observe();
      if (delivery.expected !== undefined && delivery.expected !== digest)
        throw new OperatorNeededError("target_drift", "Somebody else changed our key.");
      return right.deliver(delivery);
    },
  ),
  wrongDeliver(
    "refuses a number that it has seen",
    "7.4 a lost answer can be repeated",
    async (right, store, delivery) => {
      if (store.document.number?.number === delivery.number.number)
        throw new OperatorNeededError("target_drift", "This delivery has been here.");
      return right.deliver(delivery);
    },
  ),
  wrongDeliver("does not read back what it wrote", "7.4 delivered means written", async (right, store, delivery) =>
    store.swallows ? right.observe() : right.deliver(delivery),
  ),
  wrongDeliver(
    "replaces the whole target",
    "12 nothing but its own keys is changed",
    async (right, store, delivery) => {
      const done = await right.deliver(delivery);
      store.write({ entries: entriesOf(delivery), number: delivery.number });
      return done;
    },
  ),
  wrongDeliver(
    "writes without compare-and-set",
    "12 a hand on our key stops the delivery",
    (right, _, { version, number, value }) => right.deliver({ version, number, value }),
  ),
  wrongDeliver(
    "takes a hand on other keys for drift",
    "12 a hand on what is not ours is kept and stops nothing",
    async (right, store, delivery) => {
      if (store.document.entries["MODE"] !== "live")
        throw new OperatorNeededError("target_drift", "Somebody changed the target.");
      return right.deliver(delivery);
    },
  ),
  wrongDeliver(
    "makes a removed target again",
    "12 a target that somebody removed is not made again",
    async (right, store, delivery) =>
      Object.keys(store.document.entries).length === 0 ? force(store, delivery, right) : right.deliver(delivery),
  ),
  wrongDeliver(
    "lets a lower number overwrite a higher",
    "5 a lower number never overwrites a higher",
    async (right, store, delivery) => {
      store.document = { ...store.document, number: undefined };
      return right.deliver(delivery);
    },
  ),
  wrongDeliver("compares the number and not the epoch", "5 the epoch counts before the number", (right, _, delivery) =>
    right.deliver({ ...delivery, number: { epoch: 1, number: delivery.number.number } }),
  ),
  wrongDeliver(
    "forgets the number where it had nothing to write",
    "5 a number that held already still shuts out lower ones",
    async (right, store, delivery) => {
      const { holds, digest } = await right.observe();
      const mayLookAtFields = Object.keys(entriesOf(delivery)).every(
        (key) => store.document.entries[key] !== undefined,
      );
      return mayLookAtFields && holds(delivery.value) ? { digest } : right.deliver(delivery);
    },
  ),
  wrongDeliver(
    "looks first and writes later",
    "5 a delivery held up on its way does not land after a later one",
    async (right, store, delivery) => {
      const isNewest = (store.document.number?.number ?? 0) <= delivery.number.number;
      try {
        return await right.deliver(delivery);
      } catch (error) {
        if (!isNewest || (store.document.number?.number ?? 0) <= delivery.number.number) throw error;
        return force(store, delivery, right);
      }
    },
  ),
  wrongDeliver(
    "compares numbers a moment before it writes",
    "5 of many deliveries at once the highest stays",
    async (right, store, delivery) => {
      const isNewest = (store.document.number?.number ?? 0) <= delivery.number.number;
      if (!isNewest) return right.deliver(delivery);
      // The higher the number, the sooner it is through: the lower one lands last.
      for (let turn = 0; turn < 5 - (delivery.number.number % 10); turn++)
        await new Promise<void>((resolve) => void setImmediate(resolve));
      return force(store, delivery, right);
    },
  ),
  wrongDeliver(
    "writes one key after the other",
    "1 a reader never sees half of a value",
    async (right, store, delivery) => {
      const [first] = Object.entries(entriesOf(delivery));
      if (first !== undefined && delivery.expected === undefined && store.document.number !== undefined) {
        store.write({ ...store.document, entries: { ...store.document.entries, [first[0]]: first[1] } });
        await new Promise<void>((resolve) => void setImmediate(resolve));
      }
      return right.deliver(delivery);
    },
  ),
  wrongDeliver(
    "writes whatever it is given",
    "13 an empty, redacted or cut value is never written",
    (right, store, delivery) => force(store, delivery, right),
  ),
  {
    name: "cuts a value at a sign that its format uses",
    caughtBy: "13 an unusual character arrives or is refused, and is never changed on the way",
    twist: {
      session: (right, store) => ({
        async deliver(delivery) {
          const done = await right.deliver(delivery);
          const cut = Object.entries(entriesOf(delivery)).map(
            ([key, text]) => [key, text.split("#")[0] ?? ""] as const,
          );
          store.document = { ...store.document, entries: { ...store.document.entries, ...Object.fromEntries(cut) } };
          return done;
        },
      }),
    },
  },
  wrongDeliver(
    "leaves out a field that is missing",
    "7.7 a value without a field that is needed is refused",
    async (right, _, delivery) =>
      "password" in delivery.value ? right.deliver(delivery) : { digest: (await right.observe()).digest },
  ),
  {
    name: "goes on although it was told to stop",
    caughtBy: "6 a cancelled delivery has no effect",
    twist: {
      definition: (right) => ({
        open: (opening, context) => right.open(opening, { ...context, signal: new AbortController().signal }),
      }),
    },
  },
];
