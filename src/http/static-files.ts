import { stat } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import type { Clock } from "../core/clock.ts";
import { tryParseRange } from "./byte-range.ts";
import { sendReply, textReply } from "./reply.ts";
import { embedSecurityHeaders, pageSecurityHeaders } from "./security-headers.ts";
import { loadStaticIndex, type Coding, type StaticFile, type StaticIndex } from "./static-index.ts";

/** A rebuilt phone is noticed by the first request after this time. */
const RECHECK_MS = 1000;
const YEAR_SECONDS = 31_536_000;
/** Where the custom element's files are, for pages of other origins. */
const EMBED_PATH = "/embed/";

/** Shown while there is no build; it needs no script and no style of its own. */
const MISSING_PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Offhook</title>
<h1>The web phone is not built yet</h1>
<p>The gateway runs, but its phone has no files. Build them with:</p>
<pre>npm run build:phone</pre>
<p>Then load this page again; the gateway need not be restarted.</p>
</html>
`;

/**
 * Serves the built web phone out of memory, and reads it again when its index.html has changed.
 */
export class StaticFiles {
  readonly #root: string;
  readonly #clock: Clock;
  #index: StaticIndex | undefined;
  #stamp: string | undefined;
  #checkedAtMs = -Infinity;
  #refreshing: Promise<void> | undefined;

  /** @param options.root the build's directory; it may come and go */
  constructor(options: { readonly root: string; readonly clock: Clock }) {
    this.#root = options.root;
    this.#clock = options.clock;
  }

  /**
   * Answers with the file at `path`, decoded; 404 when there is none.
   *
   * @param embedder origin of a page that may embed the phone, which gets the files of `/embed/`
   */
  async serve(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    embedder?: string,
  ): Promise<void> {
    const withBody = request.method !== "HEAD";
    if (request.method !== "GET" && withBody) {
      const reply = textReply(405, "This path takes GET, HEAD.", { Allow: "GET, HEAD" });
      sendReply(response, reply, true);
      return;
    }
    await this.#refresh();
    const isEmbedded = path.startsWith(EMBED_PATH);
    const headers = {
      ...pageSecurityHeaders(request),
      ...(isEmbedded && embedder !== undefined ? embedSecurityHeaders(embedder) : {}),
    };
    if (this.#index === undefined) {
      const body = Buffer.from(MISSING_PAGE);
      response.writeHead(503, {
        ...headers,
        "Cache-Control": "no-store",
        "Content-Type": "text/html; charset=utf-8",
        "Content-Length": body.length,
      });
      response.end(withBody ? body : undefined);
      return;
    }
    const file = this.#index.get(path.endsWith("/") ? `${path}index.html` : path);
    if (file === undefined) {
      sendReply(response, textReply(404, "There is nothing here."), withBody);
      return;
    }
    await sendFile(request, response, file, headers, isEmbedded ? ["Origin"] : []);
  }

  /** Reads the directory again when index.html is another one than at the last look. */
  async #refresh(): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#refreshing === undefined && nowMs - this.#checkedAtMs >= RECHECK_MS) {
      this.#checkedAtMs = nowMs;
      this.#refreshing = this.#reload().finally(() => {
        this.#refreshing = undefined;
      });
    }
    await this.#refreshing;
  }

  async #reload(): Promise<void> {
    const found = await stat(join(this.#root, "index.html")).catch(() => undefined);
    const stamp = found === undefined ? undefined : `${found.mtimeMs} ${found.size} ${found.ino}`;
    if (stamp !== undefined && stamp === this.#stamp) return;
    this.#index = stamp === undefined ? undefined : await loadStaticIndex(this.#root);
    this.#stamp = this.#index === undefined ? undefined : stamp;
  }
}

async function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  file: StaticFile,
  securityHeaders: Readonly<Record<string, string>>,
  varies: readonly string[],
): Promise<void> {
  const withBody = request.method !== "HEAD";
  const coding = file.isCompressible
    ? chooseCoding(request.headers["accept-encoding"])
    : "identity";
  const etag = file.etag(coding);
  const headers: Record<string, string> = {
    ...securityHeaders,
    ETag: etag,
    "Cache-Control": file.isImmutable ? `public, max-age=${YEAR_SECONDS}, immutable` : "no-cache",
    ...(file.isCompressible ? {} : { "Accept-Ranges": "bytes" }),
  };
  const vary = [...varies, ...(file.isCompressible ? ["Accept-Encoding"] : [])].join(", ");
  if (vary !== "") headers["Vary"] = vary;
  if (isKnownToClient(request.headers["if-none-match"], etag)) {
    response.writeHead(304, headers);
    response.end();
    return;
  }
  headers["Content-Type"] = file.mediaType;
  if (coding !== "identity") headers["Content-Encoding"] = coding;
  const octets = await file.encoded(coding);
  // RFC 9110 §14.2: only GET has ranges; sounds need them in some browsers, scripts nowhere.
  const range =
    file.isCompressible || request.method !== "GET" || request.headers["if-range"] !== undefined
      ? undefined
      : tryParseRange(request.headers.range, octets.length);
  if (range === "unsatisfiable") {
    response.writeHead(416, { ...headers, "Content-Range": `bytes */${octets.length}` });
    response.end();
    return;
  }
  const part = range === undefined ? octets : octets.subarray(range.first, range.last + 1);
  if (range !== undefined) {
    headers["Content-Range"] = `bytes ${range.first}-${range.last}/${octets.length}`;
  }
  headers["Content-Length"] = String(part.length);
  response.writeHead(range === undefined ? 200 : 206, headers);
  response.end(withBody ? part : undefined);
}

/** RFC 9110 §13.1.2, weak comparison. */
function isKnownToClient(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  return ifNoneMatch.split(",").some((entry) => {
    const tag = entry.trim();
    return tag === "*" || tag === etag || tag === `W/${etag}`;
  });
}

/** RFC 9110 §12.5.3: the best of ours that the client names with a weight above 0. */
function chooseCoding(acceptEncoding: string | undefined): Coding {
  if (acceptEncoding === undefined) return "identity";
  const accepted = new Set<string>();
  for (const entry of acceptEncoding.toLowerCase().split(",")) {
    const [name = "", ...parameters] = entry.split(";").map((text) => text.trim());
    if (!parameters.some((parameter) => /^q=0(?:\.0{0,3})?$/.test(parameter))) accepted.add(name);
  }
  if (accepted.has("br")) return "br";
  return accepted.has("gzip") ? "gzip" : "identity";
}
