/** The sign-in: a user's password against short-lived SIP credentials. */
import type { CallTone, IceServer, NetworkTones, Session } from "./agent/phone-agent.ts";
import type { SignInProblem } from "./state.ts";

/** What a sign-in came to. */
export type SignInResult =
  | { readonly kind: "signed-in"; readonly session: Session }
  | { readonly kind: "failed"; readonly problem: SignInProblem };

type Json = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null;
}

function isString(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function tryParseIceServer(value: unknown): IceServer | undefined {
  if (!isObject(value)) return undefined;
  const urls = Array.isArray(value["urls"])
    ? value["urls"].filter(isString)
    : [value["urls"]].filter(isString);
  const { username, credential } = value;
  return {
    urls,
    ...(isString(username) ? { username } : {}),
    ...(isString(credential) ? { credential } : {}),
  };
}

function tryParseTone(value: unknown): CallTone | undefined {
  if (!isObject(value)) return undefined;
  const { frequencies, cadence } = value;
  const isSound = (hz: unknown): hz is number => typeof hz === "number" && hz >= 20 && hz <= 4000;
  const isTime = (seconds: unknown): seconds is number =>
    typeof seconds === "number" && seconds >= 0.05 && seconds <= 20;
  if (!Array.isArray(frequencies) || !Array.isArray(cadence)) return undefined;
  if (frequencies.length === 0 || frequencies.length > 4 || !frequencies.every(isSound)) {
    return undefined;
  }
  if (cadence.length < 2 || cadence.length > 16 || !cadence.every(isTime)) return undefined;
  return { frequencies, cadence };
}

function tryParseTones(value: unknown): NetworkTones | undefined {
  if (!isObject(value)) return undefined;
  const ringBack = tryParseTone(value["ringBack"]);
  const busy = tryParseTone(value["busy"]);
  return ringBack === undefined || busy === undefined ? undefined : { ringBack, busy };
}

/**
 * @param typedPassword what the user has typed: the one for SIP too where a PBX owns the user
 * @returns the session in this JSON, undefined when anything that a phone needs is missing
 */
export function tryParseSession(value: unknown, typedPassword?: string): Session | undefined {
  if (!isObject(value) || !isObject(value["user"]) || !isObject(value["sip"])) return undefined;
  const { id, name } = value["user"];
  const { uri, webSocketUrl, username, password = typedPassword } = value["sip"];
  const { expiresAt, iceServers, token } = value;
  const tones = tryParseTones(value["tones"]);
  if (!isString(id) || !isString(uri) || !isString(webSocketUrl)) return undefined;
  if (!isString(username) || !isString(password) || !isString(expiresAt)) return undefined;
  if (Number.isNaN(Date.parse(expiresAt))) return undefined;
  return {
    user: { id, name: isString(name) ? name : id },
    sip: { uri, webSocketUrl, username, password },
    iceServers: Array.isArray(iceServers)
      ? iceServers.map(tryParseIceServer).filter((server) => server !== undefined)
      : [],
    expiresAt,
    ...(isString(token) ? { token } : {}),
    ...(value["sip"]["password"] === undefined ? { hasTypedPassword: true } : {}),
    ...(tones === undefined ? {} : { tones }),
    ...(value["video"] === false || value["hasVideo"] === false ? { hasVideo: false } : {}),
  };
}

/**
 * Signs a user in. The password goes out in the body once; it is kept only where a PBX owns the user,
 * in memory, because the PBX asks for it.
 *
 * @param endpoint address of `/api/v1/session`
 */
export async function signIn(
  endpoint: string | URL,
  user: string,
  password: string,
): Promise<SignInResult> {
  try {
    const response = await fetch(endpoint, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({ user, password }),
      signal: AbortSignal.timeout(10_000),
    });
    if (!response.ok) {
      await response.body?.cancel();
      return { kind: "failed", problem: problemOfStatus(response.status) };
    }
    const session = tryParseSession(await response.json(), password);
    return session === undefined
      ? { kind: "failed", problem: "server-failed" }
      : { kind: "signed-in", session };
  } catch {
    return { kind: "failed", problem: "unreachable" };
  }
}

function problemOfStatus(status: number): SignInProblem {
  if (status === 400 || status === 401 || status === 403) return "wrong-password";
  return status === 429 ? "too-many" : "server-failed";
}
