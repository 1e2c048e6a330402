import type { IncomingMessage } from "node:http";
import { errorReply, type Reply } from "./reply.ts";

/** The largest body that is read, where a route allows no other. */
export const MAX_BODY_OCTETS = 64 * 1024;

/** A body that was read, or the answer that refuses it. */
export type JsonBody =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reply: Reply };

/**
 * Reads a request's body as JSON in UTF-8, at most `maxOctets` of it.
 *
 * The rest of a body that is too large is thrown away unread, within the server's request time-out.
 */
export async function readJsonBody(
  request: IncomingMessage,
  maxOctets: number = MAX_BODY_OCTETS,
): Promise<JsonBody> {
  const mediaType = request.headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase();
  if (mediaType !== "application/json" || request.headers["content-encoding"] !== undefined) {
    return refuse(
      415,
      "ERR_OFFHOOK_HTTP_MEDIA_TYPE",
      "Send the body as JSON: Content-Type: application/json, without Content-Encoding.",
    );
  }
  if (Number(request.headers["content-length"] ?? 0) > maxOctets) return tooLarge(maxOctets);
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    // destroyOnReturn would close the socket before the answer is out.
    const chunksOfRequest: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false });
    for await (const chunk of chunksOfRequest) {
      size += chunk.length;
      if (size > maxOctets) {
        request.resume();
        return tooLarge(maxOctets);
      }
      chunks.push(chunk);
    }
  } catch {
    return refuse(400, "ERR_OFFHOOK_HTTP_BAD_REQUEST", "The body ended before its time.");
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
    return { ok: true, value: JSON.parse(text) };
  } catch {
    return refuse(400, "ERR_OFFHOOK_HTTP_BAD_REQUEST", "The body is not JSON in UTF-8.");
  }
}

function tooLarge(maxOctets: number): JsonBody {
  return {
    ok: false,
    reply: errorReply(
      413,
      "ERR_OFFHOOK_HTTP_BODY_TOO_LARGE",
      `The body is larger than ${maxOctets} octets.`,
    ),
  };
}

function refuse(
  status: number,
  code: "ERR_OFFHOOK_HTTP_BAD_REQUEST" | "ERR_OFFHOOK_HTTP_MEDIA_TYPE",
  message: string,
): JsonBody {
  return { ok: false, reply: errorReply(status, code, message) };
}
