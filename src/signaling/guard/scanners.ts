import type { SipRequest } from "../message/message.ts";

/**
 * Programs that search the Internet for SIP servers to misuse, by what they write into User-Agent
 * unless somebody changes it. Whoever gets no answer sees no server and goes on.
 */
export const SCANNERS: readonly string[] = [
  "friendly-scanner",
  "friendly-request",
  "sipvicious",
  "sip-scan",
  "sundayddr",
  "sipcli",
  "vaxsipuseragent",
  "pplsip",
];

/** Whether a request comes from one of these programs, by a part of its User-Agent. */
export function isFromScanner(request: SipRequest, scanners: readonly string[]): boolean {
  if (scanners.length === 0) return false;
  const agent = request.headers.get("User-Agent")?.slice(0, MAX_AGENT_LENGTH).toLowerCase();
  return agent !== undefined && scanners.some((name) => agent.includes(name));
}

const MAX_AGENT_LENGTH = 128;
