import type { IncomingMessage } from "node:http";
import type { ApiRole, ApiToken } from "../config/config.ts";
import type { Logger } from "../core/logger.ts";
import type { IsOriginAllowed } from "./origin-policy.ts";
import type {
  CredentialIssuer,
  GatewayView,
  PasswordCheck,
  SignInLimit,
  WebUsers,
} from "./ports.ts";
import type { Reply } from "./reply.ts";
import type { TurnSettings } from "./turn-credentials.ts";

/** What a reload of the configuration may change. */
export interface HttpSettings {
  /** SIP domain of the web users. */
  readonly domain: string;
  /** From createOriginPolicy; the WebSocket uses the same. */
  readonly isOriginAllowed: IsOriginAllowed;
  readonly tokens: readonly ApiToken[];
  readonly turn?: TurnSettings | undefined;
  /** ISO 3166 code: whose ring-back and busy tones the phone plays. */
  readonly country?: string | undefined;
  /** Whether calls may have video; default true. */
  readonly hasVideo?: boolean | undefined;
}

/** The gateway as the handlers see it. */
export interface HttpServices {
  readonly gateway: GatewayView;
  readonly users: WebUsers;
  readonly credentials: CredentialIssuer;
  /** Users that a PBX owns; default: none. */
  readonly passwords?: PasswordCheck;
  readonly signInLimit: SignInLimit;
  /** The text of `GET /metrics`. */
  readonly metrics: { render(): string };
}

/** One request, as a handler gets it: method, origin, role and body's media type are checked. */
export interface RequestContext {
  readonly request: IncomingMessage;
  /** The client's address: of the connection, or as a configured proxy has it. */
  readonly remoteAddress: string;
  /**
   * What stands for `{id}` in the route's path; the user's own id in a route of the role `user`; empty
   * in any other.
   */
  readonly id: string;
  readonly query: URLSearchParams;
  /** The JSON body of a POST; undefined with other methods. */
  readonly body: unknown;
  /** The name of the token, or the user's id; empty in a public route. */
  readonly principal: string;
  readonly services: HttpServices;
  readonly settings: HttpSettings;
  readonly logger: Logger;
}

/** One row of the table of routes. */
export interface Route {
  /** GET answers HEAD as well. */
  readonly method: "GET" | "POST" | "DELETE";
  /** Segments; `{id}` stands for any one, the last or the one before it. */
  readonly path: string;
  /**
   * `public`: anyone. `user`: a signed-in user, by the token of its session, for what is its own. Else
   * the least role whose token opens it.
   */
  readonly role: "public" | "user" | ApiRole;
  readonly handler: (context: RequestContext) => Reply | Promise<Reply>;
  /** The largest body that a POST may have; default: `MAX_BODY_OCTETS`. */
  readonly maxBodyOctets?: number;
}

/** What a path leads to: the rows with this path, and what stands for `{id}`. */
export interface RouteMatch {
  readonly routes: readonly Route[];
  readonly id: string;
}

/** Finds the rows for a path: exact text first, then those with `{id}`. */
export class RouteTable {
  readonly #exact = new Map<string, Route[]>();
  /** By the path with `{id}` in it. */
  readonly #withId = new Map<string, Route[]>();

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      const table = route.path.includes("/{id}") ? this.#withId : this.#exact;
      const rows = table.get(route.path);
      if (rows === undefined) table.set(route.path, [route]);
      else rows.push(route);
    }
  }

  /** @param path decoded, without query */
  match(path: string): RouteMatch | undefined {
    const exact = this.#exact.get(path);
    if (exact !== undefined) return { routes: exact, id: "" };
    const last = path.lastIndexOf("/");
    const before = path.lastIndexOf("/", last - 1);
    for (const [start, end] of [
      [last + 1, path.length],
      [before + 1, last],
    ] as const) {
      const id = path.slice(start, end);
      const routes = this.#withId.get(`${path.slice(0, start)}{id}${path.slice(end)}`);
      if (routes !== undefined && id !== "") return { routes, id };
    }
    return undefined;
  }
}
