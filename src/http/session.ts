import { type CallTones, callTonesOf } from "../core/call-tones.ts";
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { TLSSocket } from "node:tls";
import { z } from "zod";
import { buildSipUri } from "../signaling/message/uri.ts";
import { parseHost } from "./host.ts";
import { errorReply, jsonReply, type Reply } from "./reply.ts";
import type { RequestContext } from "./route.ts";
import { buildIceServers, type IceServer } from "./turn-credentials.ts";
import { parseBody } from "./validation.ts";

/** The body of a successful `POST /api/v1/session`: what a phone needs to register. */
export interface SessionBody {
  readonly user: { readonly id: string; readonly name: string };
  readonly sip: {
    /** The user's address of record. */
    readonly uri: string;
    readonly webSocketUrl: string;
    /** For digest authentication; not the user part of `uri`. */
    readonly username: string;
    readonly password: string;
  };
  readonly iceServers: readonly IceServer[];
  /** ISO 8601, UTC: when `sip` and `iceServers` stop working. */
  readonly expiresAt: string;
  /** What the phone plays while a call rings, and when it is busy. */
  readonly tones: Pick<CallTones, "ringBack" | "busy">;
}

const signInSchema = z.strictObject({
  user: z.string().min(1).max(128),
  password: z.string().min(1).max(1024),
});

/**
 * Signs a web user in.
 *
 * An unknown user and a wrong password get the same octets after the same work, so the answer does
 * not tell which users exist.
 */
export function signIn(context: RequestContext): Reply {
  const { logger, remoteAddress, request, services, settings } = context;
  const body = parseBody(signInSchema, context.body);
  if (!body.ok) return body.reply;
  const { password, user: userId } = body.value;
  const host = parseHost(request.headers.host);
  if (host === undefined) {
    return errorReply(
      400,
      "ERR_OFFHOOK_HTTP_BAD_REQUEST",
      "The Host field is missing or unusable.",
    );
  }
  const limit = services.signInLimit;
  if (limit.isSourceBlocked(remoteAddress) || limit.isAccountBlocked(userId)) {
    return errorReply(
      429,
      "ERR_OFFHOOK_HTTP_TOO_MANY_ATTEMPTS",
      "Too many failed sign-ins. Wait a few minutes, then try again.",
      { "Retry-After": String(Math.ceil(limit.blockMs / 1000)) },
    );
  }
  const user = services.users.find(userId);
  if (!isSamePassword(password, user?.password) || user === undefined) {
    limit.failed(remoteAddress, userId);
    logger.warn("sign-in failed", { user: userId, remote: remoteAddress });
    return errorReply(401, "ERR_OFFHOOK_HTTP_SIGN_IN", "The user or the password is wrong.");
  }
  limit.succeeded(userId);
  logger.info("signed in", { user: userId, remote: remoteAddress });
  const issued = services.credentials.issue(user.id);
  const session: SessionBody = {
    user: { id: user.id, name: user.name },
    sip: {
      uri: buildSipUri({ user: user.id, host: settings.domain }),
      webSocketUrl: `${isSecurePage(context) ? "wss" : "ws"}://${host}/ws`,
      username: issued.username,
      password: issued.password,
    },
    iceServers: buildIceServers(settings.turn, user.id, issued.expiresAtMs),
    expiresAt: new Date(issued.expiresAtMs).toISOString(),
    tones: tonesFor(settings.country, request.headers["accept-language"]),
  };
  return jsonReply(200, session);
}

/** The tones of the gateway's country; else of the one that the browser's first language names. */
function tonesFor(
  country: string | undefined,
  languages: string | undefined,
): SessionBody["tones"] {
  const region = /^[A-Za-z]{2,3}-([A-Za-z]{2})(?:[,;]|$)/.exec(languages ?? "")?.[1];
  const { ringBack, busy } = callTonesOf(country ?? region);
  return { ringBack, busy };
}

/** A page over https may only open wss, also where a proxy in front of us holds the certificate. */
function isSecurePage({ request }: RequestContext): boolean {
  return (
    request.socket instanceof TLSSocket || request.headers.origin?.startsWith("https://") === true
  );
}

const compareKey = randomBytes(32);
/** Stands for the password of a user that does not exist; no request can match it. */
const nobodysPassword = randomBytes(32).toString("hex");

function isSamePassword(given: string, expected: string | undefined): boolean {
  const digest = (text: string): Buffer =>
    createHmac("sha256", compareKey).update(text, "utf8").digest();
  return timingSafeEqual(digest(given), digest(expected ?? nobodysPassword));
}
