import fastifyHelmet from "@fastify/helmet";
import fastifyRateLimit from "@fastify/rate-limit";
import fastifySwagger from "@fastify/swagger";
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import {
  createSerializerCompiler,
  hasZodFastifySchemaValidationErrors,
  jsonSchemaTransform,
  validatorCompiler,
} from "fastify-type-provider-zod";
import type { z } from "zod";
import { findUnstorable } from "../domain/unstorable-text.ts";
import { auditHandlers } from "./audit.ts";
import { admit, callerOf, rateKey } from "./admit.ts";
import { checkHandlers } from "./checks.ts";
import { consumerHandlers } from "./consumers.ts";
import { renderMetrics } from "./metrics.ts";
import { moveHandlers } from "./credential-move.ts";
import { credentialHandlers } from "./credentials.ts";
import type { ApiDeps, Handlers } from "./deps.ts";
import { doctorHandlers } from "./doctor.ts";
import { grantHandlers } from "./grants.ts";
import { healthHandlers } from "./health.ts";
import { refuseForeignHost } from "./host-guard.ts";
import { initHandlers } from "./init.ts";
import { leakHandlers } from "./leaks.ts";
import { emergencyHandlers } from "./emergencies.ts";
import { manifestHandlers } from "./manifests.ts";
import { ownConsumerHandlers } from "./own-consumers.ts";
import { shareHandlers } from "./credential-shares.ts";
import { asProblem, problemOf, ProblemError, type Problem } from "./problem.ts";
import { proposalHandlers } from "./proposals.ts";
import { routineHandlers } from "./routine.ts";
import { statusHandlers } from "./status.ts";
import { noticeHandlers } from "./notices.ts";
import { receiptHandlers } from "./receipts.ts";
import { rotationHandlers } from "./rotations.ts";
import { tokenHandlers } from "./tokens.ts";
import type { Route } from "./route.ts";
import { apiPrefix, routes, type RouteName } from "./route-table.ts";
import { tlsServerFactory } from "./tls-server.ts";
import { version } from "../release.ts";

const handlers: Handlers<RouteName> = {
  ...healthHandlers,
  ...initHandlers,
  ...manifestHandlers,
  ...consumerHandlers,
  ...proposalHandlers,
  ...ownConsumerHandlers,
  ...shareHandlers,
  ...grantHandlers,
  ...credentialHandlers,
  ...moveHandlers,
  ...checkHandlers,
  ...rotationHandlers,
  ...leakHandlers,
  ...receiptHandlers,
  ...auditHandlers,
  ...doctorHandlers,
  ...routineHandlers,
  ...statusHandlers,
  ...tokenHandlers,
  ...noticeHandlers,
  ...emergencyHandlers,
};

/** Manifests are the largest bodies. */
const bodyLimit = 4 * 1024 * 1024;
const requestTimeout = 30_000;
const requestsAMinute = 3_000;

/** The API over its dependencies. It listens nowhere yet. */
export async function buildApi(deps: ApiDeps): Promise<FastifyInstance> {
  const { tls, log } = deps;
  const app = fastify({
    logger: false,
    bodyLimit,
    requestTimeout,
    ...(tls === undefined ? {} : { serverFactory: tlsServerFactory(tls, { log, requestTimeout }) }),
    exposeHeadRoutes: false,
    // An address that no route can be looked for: without this Fastify repeats it, to anybody who asks.
    frameworkErrors: (_error, _request, reply) =>
      void send(reply, problemOf("request_invalid", "The address cannot be read, or is too long.")),
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(createSerializerCompiler());
  app.addHook("onRequest", refuseForeignHost(deps.names));
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const problem = problemFrom(error);
    if (problem.status === 500) deps.log.error("request.failed", { ...describe(request), error: error.stack ?? "" });
    return send(reply, problem);
  });
  app.setNotFoundHandler((_, reply) => send(reply, problemOf("not_found", "The API has no such route.")));
  app.addHook("onResponse", async (request, reply) => {
    // Whoever watches asks twice a second.
    const write = request.method === "GET" && reply.statusCode < 400 ? deps.log.debug : deps.log;
    write("request.answered", { ...describe(request), status: reply.statusCode, ms: Math.round(reply.elapsedTime) });
    return Promise.resolve();
  });
  await app.register(fastifyHelmet);
  await app.register(fastifyRateLimit, {
    max: requestsAMinute,
    timeWindow: "1 minute",
    keyGenerator: rateKey,
    errorResponseBuilder: () => new ProblemError("too_many_requests", `More than ${requestsAMinute} in one minute.`),
  });
  await app.register(fastifySwagger, {
    openapi: { info: { title: "rekey", version }, servers: [{ url: "/" }] },
    transform: jsonSchemaTransform,
  });
  app.after(() => {
    for (const name of Object.keys(routes) as RouteName[]) addRoute(app, deps, name);
    app.get("/metrics", { schema: { hide: true }, onRequest: admit(deps, "showMetrics") }, async (_, reply) => {
      const { contentType, text } = await renderMetrics(deps.ledger);
      return reply.type(contentType).serializer(String).send(text);
    });
    app.get(`${apiPrefix}/openapi.json`, { schema: { hide: true } }, () => app.swagger());
  });
  await app.ready();
  return app;
}

function addRoute(app: FastifyInstance, deps: ApiDeps, name: RouteName): void {
  const route: Route = routes[name];
  // The compiler cannot follow one name through both tables; `Handlers` has checked that each handler fits its route.
  const handler = handlers[name] as (call: unknown, deps: ApiDeps) => Promise<unknown>;
  const { params, query, body, bodyLimit: ownLimit = bodyLimit } = route;
  app.route({
    method: route.method,
    url: `${apiPrefix}${route.path}`,
    bodyLimit: ownLimit,
    schema: {
      summary: route.summary,
      operationId: name,
      response: { 200: route.response },
      ...(params === undefined ? {} : { params: storable(params) }),
      ...(query === undefined ? {} : { querystring: storable(query) }),
      ...(body === undefined ? {} : { body: storable(body) }),
    },
    onRequest: admit(deps, name),
    handler: (request) =>
      handler({ params: request.params, query: request.query, body: request.body, ...callerOf(request) }, deps),
  });
}

/** Whatever a caller sends may end in a statement: no text in it is one that the ledger cannot hold. */
function storable(schema: z.ZodObject): z.ZodObject {
  return schema.superRefine((given, context) => {
    for (const { path } of findUnstorable(given)) context.addIssue({ code: "custom", path: [...path], message: "" });
  });
}

function send(reply: FastifyReply, problem: Problem) {
  return reply.code(problem.status).type("application/problem+json").serializer(JSON.stringify).send(problem);
}

/** The route's pattern, never the address: parameters may be anything. */
function describe(request: FastifyRequest) {
  return { method: request.method, route: request.routeOptions.url ?? "none", token: callerOf(request).actor };
}

/** Says which field is wrong, and never what was sent in it. */
function problemFrom(error: FastifyError): Problem {
  if (hasZodFastifySchemaValidationErrors(error)) {
    const [first] = error.validation;
    return problemOf("request_invalid", `${placeOf(error.validationContext, first)} ${wrongness(first?.keyword)}.`);
  }
  // What Fastify itself refuses: a body that is no JSON, too large, of another type.
  if (error.code?.startsWith("FST_ERR_CTP") || error.statusCode === 413 || error.statusCode === 415)
    return {
      ...problemOf("request_invalid", "The body is not JSON, or is too large."),
      status: error.statusCode ?? 400,
    };
  if (error instanceof SyntaxError || error.statusCode === 400)
    return problemOf("request_invalid", "The request cannot be read.");
  return asProblem(error);
}

interface FoundWrong {
  readonly instancePath?: string;
}

/** The outermost field, which the route declares. Below it a name may be the caller's own word. */
function placeOf(part: string | undefined, found: FoundWrong | undefined): string {
  const [, name = ""] = (found?.instancePath ?? "").split("/");
  if (part === "params") return "The name in the address";
  const kind = part === "querystring" ? "parameter" : "field";
  return name === "" ? "What was sent" : `The ${kind} ${name}`;
}

function wrongness(keyword: string | undefined): string {
  if (keyword === "too_big") return "is too long or too large";
  if (keyword === "custom") return "holds a character that cannot be stored";
  return keyword === "too_small" ? "is empty or too small" : "is missing, or is not what is asked for";
}
