import type { Asked } from "./asked.ts";
import { sharedFault } from "./fault.ts";
import { keyOperations, type IamOperation } from "./iam-keys.ts";
import { userOperations } from "./iam-users.ts";
import { JsonFields } from "./json-fields.ts";
import { Query } from "./query.ts";
import type { Call } from "./call.ts";
import { secretOperations, type SecretOperation } from "./secret-operations.ts";
import { stsOperations } from "./sts.ts";
import { valueOperations } from "./value-operations.ts";
import { xmlAnswer, type XmlService } from "./xml.ts";

const queryOperations: Readonly<Record<XmlService, Readonly<Record<string, IamOperation>>>> = {
  iam: { ...keyOperations, ...userOperations },
  sts: stsOperations,
};

const secretsManager: Readonly<Record<string, SecretOperation>> = { ...secretOperations, ...valueOperations };

/** Does what a call that has been let in asks for, and returns the body of the answer. */
export function perform({ service, protocol, action }: Asked, body: string, call: Call, requestId: string): string {
  const unknown = () => sharedFault("unknownOperation", protocol, `Could not find operation ${action}`);
  if (service === "secretsmanager") {
    const operation = secretsManager[action];
    if (operation === undefined) throw unknown();
    return JSON.stringify(operation(call, new JsonFields(body)));
  }
  const operation = queryOperations[service][action];
  if (operation === undefined) throw unknown();
  return xmlAnswer(service, action, operation(call, new Query(body)), requestId);
}
