import { randomToken } from "../../src/core/ids.ts";
import { buildRequest } from "../../src/signaling/message/build.ts";
import type { HeaderField } from "../../src/signaling/message/headers.ts";
import type { SipRequest, SipResponse } from "../../src/signaling/message/message.ts";
import { parseMessage, scanMessage } from "../../src/signaling/message/parser.ts";
import { serializeMessage } from "../../src/signaling/message/serializer.ts";
import { answerChallenge } from "../harness/sip-peer.ts";
import { formatNameAddr } from "../../src/signaling/message/name-addr.ts";
import { buildSipUri } from "../../src/signaling/message/uri.ts";
import type { Line } from "./line.ts";

/** What became of one message of the corpus. */
export interface Outcome {
  /** Final responses, in order. */
  readonly responses: readonly SipResponse[];
  readonly statuses: readonly number[];
  /** Until the OPTIONS behind it was answered, in milliseconds. */
  readonly probeMs: number;
  readonly probeStatus: number;
  /** The gateway has closed the connection; the OPTIONS went over another one. */
  readonly isClosed: boolean;
  /** Requests, and responses that belong to nothing: none may come. */
  readonly strays: readonly string[];
  /** Answers to STUN (RFC 8489 §5: their first octet is 0 or 1, which no SIP message begins with). */
  readonly stunAnswers: number;
}

/** Who asks, and for which domain. */
export interface Asker {
  readonly user: string;
  readonly domain: string;
}

/** An OPTIONS to the gateway itself. */
export function buildOptions(
  line: Line,
  { user, domain }: Asker,
  extra: readonly HeaderField[] = [],
): SipRequest {
  const from = formatNameAddr({ uri: buildSipUri({ user, host: domain }) });
  const rport = line.transport === "UDP" ? ";rport" : "";
  const { host, port } = line.local;
  return buildRequest({
    method: "OPTIONS",
    requestUri: `sip:${domain}`,
    headers: [
      ["Via", `SIP/2.0/${line.transport} ${host}:${port};branch=z9hG4bK${randomToken(12)}${rport}`],
      ["Max-Forwards", "70"],
      ["From", `${from};tag=${randomToken(8)}`],
      ["To", `<sip:${domain}>`],
      ["Call-ID", `probe-${randomToken(12)}`],
      ["CSeq", "1 OPTIONS"],
      ...extra,
    ],
  });
}

/**
 * Signs a user in on a connection with digest (RFC 3261 §22), by {@link userNameOf}.
 *
 * @throws Error when it is refused
 */
export async function signIn(line: Line, asker: Asker, password: string): Promise<void> {
  const first = buildOptions(line, asker);
  line.send(serializeMessage(first));
  const challenge = await nextResponse(line);
  const authorization = answerChallenge(first, challenge, userNameOf(asker.user), password);
  line.send(serializeMessage(buildOptions(line, asker, [["Authorization", authorization]])));
  const { statusCode } = await nextResponse(line);
  if (statusCode !== 200) throw new Error(`${asker.user} could not sign in: ${statusCode}`);
}

/** The user name in the digest: any user id fits into it, even one with a NUL. */
export function userNameOf(userId: string): string {
  return encodeURIComponent(userId);
}

async function nextResponse(line: Line): Promise<SipResponse> {
  const octets = await line.arrivals.next("a response");
  if (octets === "closed") throw new Error("the connection was closed");
  const message = parseMessage(octets);
  if (message.kind !== "response") throw new Error(`${message.method} came`);
  return message;
}

/** Of the messages that were sent before. */
const earlierIds = new Set<string>();

function callIdOf(octets: Buffer): string | undefined {
  return /^(?:call-id|i)[ \t]*:[ \t]*(\S+)/im.exec(octets.toString("latin1"))?.[1];
}

export interface ExchangeOptions {
  readonly line: Line;
  readonly octets: Buffer;
  readonly asker: Asker;
  /** A final response must come; else it must not. */
  readonly isAnswered: boolean;
  /** Another way to the gateway, for the OPTIONS when the connection was closed. */
  reopen(): Promise<Line>;
}

/**
 * Sends one message and an OPTIONS behind it, and collects what comes. The gateway works off one
 * socket in order: what has not come when the OPTIONS is answered will come only if it takes the
 * gateway longer, and that is waited for where an answer must come.
 */
export async function exchange(options: ExchangeOptions): Promise<Outcome> {
  const { octets, asker, isAnswered } = options;
  let { line } = options;
  const responses: SipResponse[] = [];
  const strays: string[] = [];
  let isClosed = false;
  let stunAnswers = 0;
  const ownId = callIdOf(octets);
  // On the same port a response to the message before may come once more.
  const isLate = (response: SipResponse): boolean => {
    const id = response.headers.get("Call-ID") ?? "";
    return id !== ownId && earlierIds.has(id);
  };
  line.send(octets);
  let probe = buildOptions(line, asker);
  let startedAt = performance.now();
  line.send(serializeMessage(probe));
  let answer: SipResponse | undefined;
  let probeMs = 0;
  const isOver = (): boolean => answer !== undefined && (!isAnswered || responses.length > 0);
  while (!isOver()) {
    const arrival = await line.arrivals.next("the answer to the message or to the OPTIONS");
    if (arrival === "closed") {
      isClosed = true;
      line = await options.reopen();
      probe = buildOptions(line, asker);
      startedAt = performance.now();
      line.send(serializeMessage(probe));
      continue;
    }
    if ((arrival[0] ?? 0) < 2) {
      stunAnswers += 1;
      continue;
    }
    for (const piece of splitStream(line, arrival)) {
      const message = scanMessage(piece);
      if (message.kind === "request") strays.push(message.method);
      else if (message.headers.get("Call-ID") === probe.callId) {
        probeMs = performance.now() - startedAt;
        answer = message;
      } else if (message.statusCode >= 200 && !isLate(message)) responses.push(message);
    }
  }
  acknowledge(line, octets, responses);
  if (ownId !== undefined) earlierIds.add(ownId);
  if (line !== options.line) await line.close();
  return {
    responses,
    statuses: responses.map(({ statusCode }) => statusCode),
    probeMs,
    probeStatus: answer?.statusCode ?? 0,
    isClosed,
    strays,
    stunAnswers,
  };
}

/** Responses have no body here: each ends with its empty line. */
function splitStream(line: Line, octets: Buffer): readonly Buffer[] {
  if (line.transport !== "TCP") return [octets];
  return octets
    .toString("latin1")
    .split("\r\n\r\n")
    .filter((text) => text.trim() !== "")
    .map((text) => Buffer.from(`${text}\r\n\r\n`, "latin1"));
}

/** RFC 3261 §17.1.1.3: ends the retransmissions of a rejected INVITE. */
function acknowledge(line: Line, octets: Buffer, responses: readonly SipResponse[]): void {
  for (const response of responses) {
    const cseq = response.headers.get("CSeq") ?? "";
    const to = response.headers.get("To");
    if (!cseq.endsWith(" INVITE") || to === undefined || response.statusCode < 300) continue;
    let invite;
    try {
      invite = parseMessage(octets);
    } catch {
      // It was refused without state.
      continue;
    }
    if (invite.kind !== "request") continue;
    const ack = buildRequest({
      method: "ACK",
      requestUri: invite.requestUri,
      headers: [
        ["Via", invite.topmostVia.toString()],
        ["From", invite.headers.get("From") ?? ""],
        ["To", to],
        ["Call-ID", invite.callId],
        ["CSeq", `${invite.cseq.number} ACK`],
      ],
    });
    line.send(serializeMessage(ack));
  }
}
