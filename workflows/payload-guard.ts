import { defaultPayloadConverter, type Payload, type PayloadConverter } from "@temporalio/workflow";
import { isPayloadFit } from "../domain/payload.ts";

/** Lets through what may stand in a history, readable as JSON, and nothing else. */
export const payloadConverter: PayloadConverter = {
  toPayload<T>(value: T): Payload {
    if (!isPayloadFit(value)) throw new TypeError("Only ids, numbers, booleans and codes travel through Temporal.");
    return defaultPayloadConverter.toPayload(value);
  },
  fromPayload<T>(payload: Payload): T {
    return defaultPayloadConverter.fromPayload<T>(payload);
  },
};
