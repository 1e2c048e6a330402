import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { ClientAddress } from "./client-address.ts";
import { ApiTokens, isRoleSufficient, tryParseBearer } from "./api-tokens.ts";
import { readJsonBody } from "./json-body.ts";
import { isOwnOrigin } from "./origin-policy.ts";
import { errorReply, sendReply, type Reply } from "./reply.ts";
import { tryParseTarget, type RequestTarget } from "./request-target.ts";
import { RouteTable, type HttpServices, type HttpSettings, type Route } from "./route.ts";
import { ROUTES } from "./routes.ts";
import type { StaticFiles } from "./static-files.ts";

const NO_TOKENS =
  'The API is closed: no token is configured. Add one under api.tokens in offhook.yaml, such as { name: ops, token: "${OFFHOOK_ADMIN_TOKEN}", role: admin }, and send it as Authorization: Bearer.';

const NO_SESSION =
  "Sign in at /api/v1/session and send the session's token as Authorization: Bearer.";

/**
 * The way of every plain request: target → route → method → origin → role → body → handler. What is
 * no route is a file of the web phone. Nothing is thrown out of `handle`.
 */
export class Dispatcher {
  readonly #services: HttpServices;
  readonly #files: StaticFiles;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #table = new RouteTable(ROUTES);
  readonly #clientAddress: ClientAddress;
  #settings: HttpSettings;
  #tokens: ApiTokens;

  constructor(options: {
    readonly services: HttpServices;
    readonly settings: HttpSettings;
    readonly files: StaticFiles;
    readonly logger: Logger;
    readonly clock: Clock;
    readonly clientAddress: ClientAddress;
  }) {
    this.#clientAddress = options.clientAddress;
    this.#services = options.services;
    this.#files = options.files;
    this.#logger = options.logger;
    this.#clock = options.clock;
    this.#settings = options.settings;
    this.#tokens = new ApiTokens(options.settings.tokens);
  }

  /** Requests that come from now on are judged by these settings. */
  configure(settings: HttpSettings): void {
    this.#settings = settings;
    this.#tokens = new ApiTokens(settings.tokens);
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedMs = this.#clock.monotonicMs();
    const target = tryParseTarget(request);
    try {
      if (target === undefined) {
        const reply = errorReply(
          400,
          "ERR_OFFHOOK_HTTP_BAD_REQUEST",
          "The request line or the Host field is unusable.",
          { Connection: "close" },
        );
        sendReply(response, reply, true);
      } else {
        await this.#dispatch(request, response, target);
      }
    } catch (error) {
      this.#fail(request, response, error);
    }
    this.#logger.debug("http request", {
      method: request.method,
      path: target?.path,
      status: response.statusCode,
      durationMs: Math.round(this.#clock.monotonicMs() - startedMs),
      remote: this.#clientAddress.of(request)?.host,
    });
  }

  async #dispatch(
    request: IncomingMessage,
    response: ServerResponse,
    target: RequestTarget,
  ): Promise<void> {
    const isApi = target.path === "/api" || target.path.startsWith("/api/");
    const match = this.#table.match(target.path);
    if (match === undefined && !isApi) {
      const { origin } = request.headers;
      const isEmbedder = origin !== undefined && this.#settings.isOriginAllowed(origin, request);
      await this.#files.serve(request, response, target.path, isEmbedder ? origin : undefined);
      return;
    }
    const reply =
      match === undefined
        ? errorReply(404, "ERR_OFFHOOK_HTTP_NOT_FOUND", "The API has no such path.")
        : await this.#answer(request, target, match.routes, match.id, isApi);
    // The phone asks for `/healthz` before it tries another WebSocket, wherever it is embedded.
    const isForPages = isApi || target.path === "/healthz";
    sendReply(
      response,
      isForPages ? this.#withCrossOrigin(request, reply) : reply,
      request.method !== "HEAD",
    );
  }

  async #answer(
    request: IncomingMessage,
    target: RequestTarget,
    routes: readonly Route[],
    id: string,
    isApi: boolean,
  ): Promise<Reply> {
    const allow = allowedMethods(routes, isApi);
    const isOriginAllowed = this.#settings.isOriginAllowed(request.headers.origin, request);
    if (isApi && request.method === "OPTIONS") {
      return isOriginAllowed
        ? { status: 204, headers: { Allow: allow, ...preflightHeaders(allow) } }
        : originRefused();
    }
    const method = request.method === "HEAD" ? "GET" : request.method;
    const route = routes.find((row) => row.method === method);
    if (route === undefined) {
      return errorReply(405, "ERR_OFFHOOK_HTTP_METHOD", `This path takes ${allow}.`, {
        Allow: allow,
      });
    }
    if (route.method !== "GET" && !isOriginAllowed) return originRefused();
    const principal = this.#authorize(request, route);
    if (typeof principal !== "string") return principal;
    const body =
      route.method === "POST" ? await readJsonBody(request, route.maxBodyOctets) : undefined;
    if (body !== undefined && !body.ok) return body.reply;
    return route.handler({
      request,
      remoteAddress: this.#clientAddress.of(request)?.host ?? "",
      id: route.role === "user" ? principal : id,
      query: target.query,
      body: body?.value,
      principal,
      services: this.#services,
      settings: this.#settings,
      logger: this.#logger,
    });
  }

  /** @returns the name of the token or the user's id, empty in a public route; or the refusal */
  #authorize(request: IncomingMessage, route: Route): Reply | string {
    if (route.role === "public") return "";
    // RFC 6750 §3
    const challenge = { "WWW-Authenticate": 'Bearer realm="offhook"' };
    if (route.role === "user") {
      const token = tryParseBearer(request.headers.authorization);
      const user = token === undefined ? undefined : this.#services.credentials.userOf(token);
      // Still a user of the gateway's own.
      return user !== undefined && this.#services.users.find(user) !== undefined
        ? user
        : errorReply(401, "ERR_OFFHOOK_HTTP_UNAUTHORIZED", NO_SESSION, challenge);
    }
    if (this.#tokens.isEmpty) {
      return errorReply(401, "ERR_OFFHOOK_HTTP_NO_TOKENS", NO_TOKENS, challenge);
    }
    const principal = this.#tokens.authenticate(request.headers.authorization);
    if (principal === undefined) {
      return errorReply(
        401,
        "ERR_OFFHOOK_HTTP_UNAUTHORIZED",
        "Send a token of the configuration as Authorization: Bearer.",
        challenge,
      );
    }
    if (!isRoleSufficient(principal.role, route.role)) {
      return errorReply(
        403,
        "ERR_OFFHOOK_HTTP_FORBIDDEN",
        `This needs the role ${route.role}; the token has ${principal.role}.`,
      );
    }
    if (route.method !== "GET") {
      this.#logger.info("api request", {
        by: principal.name,
        method: route.method,
        path: route.path,
      });
    }
    return principal.name;
  }

  /** Lets a page of another allowed origin read the answer (Fetch §3.3). */
  #withCrossOrigin(request: IncomingMessage, reply: Reply): Reply {
    const { origin } = request.headers;
    const isForeign =
      origin !== undefined &&
      !isOwnOrigin(origin, request) &&
      this.#settings.isOriginAllowed(origin, request);
    return {
      ...reply,
      headers: {
        ...reply.headers,
        Vary: "Origin",
        ...(isForeign ? { "Access-Control-Allow-Origin": origin } : {}),
      },
    };
  }

  #fail(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    this.#logger.error("http request failed", { method: request.method, err: error });
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const reply = errorReply(
      500,
      "ERR_OFFHOOK_HTTP_INTERNAL",
      "The gateway failed to answer. Its log says why.",
    );
    sendReply(response, reply, request.method !== "HEAD");
  }
}

function allowedMethods(routes: readonly Route[], isApi: boolean): string {
  const methods = routes.flatMap(({ method }) => (method === "GET" ? ["GET", "HEAD"] : [method]));
  return [...methods, ...(isApi ? ["OPTIONS"] : [])].join(", ");
}

function preflightHeaders(allow: string): Readonly<Record<string, string>> {
  return {
    "Access-Control-Allow-Methods": allow,
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "600",
  };
}

function originRefused(): Reply {
  return errorReply(
    403,
    "ERR_OFFHOOK_HTTP_ORIGIN",
    "Pages of this origin may not use the gateway. Allow it under http.origins in offhook.yaml.",
  );
}
