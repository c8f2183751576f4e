import { wrongAtDelivering } from "./wrong-consumers/deliver.ts";
import { wrongAtLooking } from "./wrong-consumers/look.ts";
import type { WrongConsumer } from "./wrong-consumers/wrong-consumer.ts";

/** Deliberately wrong consumers, one fault each. The suite is only as good as what it catches here. */
export const wrongConsumers: readonly WrongConsumer[] = [...wrongAtDelivering, ...wrongAtLooking];
