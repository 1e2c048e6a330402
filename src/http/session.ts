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
    /** Missing: a PBX owns the user, and what the user has typed is the password. */
    readonly password?: string;
  };
  /** For `/api/v1/me`, as `Authorization: Bearer`. Missing: a PBX owns the user. */
  readonly token?: string;
  readonly iceServers: readonly IceServer[];
  /** ISO 8601, UTC: when `sip`, `token` and `iceServers` stop working. */
  readonly expiresAt: string;
  /** What the phone plays while a call rings, and when it is busy. */
  readonly tones: Pick<CallTones, "ringBack" | "busy">;
  /** False where calls have sound only, and nobody needs to be asked for a camera. */
  readonly video?: false;
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
export async function signIn(context: RequestContext): Promise<Reply> {
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
  const asked = user === undefined ? services.passwords?.check(userId, password) : undefined;
  if (asked !== undefined) return ofPbx(context, { userId, host, verdict: await asked });
  if (!isSamePassword(password, user?.password) || user === undefined) {
    return wrongPassword(context, userId);
  }
  limit.succeeded(userId);
  logger.info("signed in", { user: userId, remote: remoteAddress });
  const issued = services.credentials.issue(user.id);
  const session: SessionBody = {
    user: { id: user.id, name: user.name },
    sip: {
      ...sipAddress(context, user.id, host),
      username: issued.username,
      password: issued.password,
    },
    token: issued.token,
    iceServers: buildIceServers(settings.turn, user.id, issued.expiresAtMs),
    expiresAt: new Date(issued.expiresAtMs).toISOString(),
    tones: tonesFor(settings.country, request.headers["accept-language"]),
    ...(settings.hasVideo === false ? { video: false } : {}),
  };
  return jsonReply(200, session);
}

/** A user whom a PBX owns: it has looked at the password, which is then the phone's to register with. */
function ofPbx(
  context: RequestContext,
  sign: {
    readonly userId: string;
    readonly host: string;
    readonly verdict: "right" | "wrong" | "unknown" | "unavailable";
  },
): Reply {
  const { logger, remoteAddress, request, services, settings } = context;
  const { userId, host, verdict } = sign;
  switch (verdict) {
    case "wrong":
      return wrongPassword(context, userId);
    case "unavailable":
      return errorReply(
        503,
        "ERR_OFFHOOK_HTTP_REGISTRAR",
        "The PBX that knows the user does not answer. Try again in a moment.",
        { "Retry-After": "10" },
      );
    case "right":
      services.signInLimit.succeeded(userId);
      logger.info("signed in", { user: userId, remote: remoteAddress });
      break;
    case "unknown":
      // Whether it was right, the PBX says to the phone.
      logger.info("sign-in left to the PBX", { user: userId, remote: remoteAddress });
      break;
  }
  const { expiresAtMs } = services.credentials.issue(userId);
  const session: SessionBody = {
    user: { id: userId, name: userId },
    sip: { ...sipAddress(context, userId, host), username: userId },
    // A relay is for those alone who have proved who they are.
    iceServers: verdict === "right" ? buildIceServers(settings.turn, userId, expiresAtMs) : [],
    expiresAt: new Date(expiresAtMs).toISOString(),
    tones: tonesFor(settings.country, request.headers["accept-language"]),
    ...(settings.hasVideo === false ? { video: false } : {}),
  };
  return jsonReply(200, session);
}

function sipAddress(
  context: RequestContext,
  user: string,
  host: string,
): Pick<SessionBody["sip"], "uri" | "webSocketUrl"> {
  return {
    uri: buildSipUri({ user, host: context.settings.domain }),
    webSocketUrl: `${isSecurePage(context) ? "wss" : "ws"}://${host}/ws`,
  };
}

function wrongPassword({ logger, remoteAddress, services }: RequestContext, user: string): Reply {
  services.signInLimit.failed(remoteAddress, user);
  logger.warn("sign-in failed", { user, remote: remoteAddress });
  return errorReply(401, "ERR_OFFHOOK_HTTP_SIGN_IN", "The user or the password is wrong.");
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
