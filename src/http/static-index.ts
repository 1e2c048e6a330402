import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

/** How a file's octets are sent (RFC 9110 §8.4.1). */
export type Coding = "br" | "gzip" | "identity";

const MEDIA_TYPES: ReadonlyMap<string, string> = new Map([
  [".css", "text/css; charset=utf-8"],
  [".html", "text/html; charset=utf-8"],
  [".ico", "image/x-icon"],
  [".jpg", "image/jpeg"],
  [".js", "text/javascript; charset=utf-8"],
  [".json", "application/json; charset=utf-8"],
  [".map", "application/json; charset=utf-8"],
  [".mjs", "text/javascript; charset=utf-8"],
  [".mp3", "audio/mpeg"],
  [".ogg", "audio/ogg"],
  [".png", "image/png"],
  [".svg", "image/svg+xml; charset=utf-8"],
  [".txt", "text/plain; charset=utf-8"],
  [".wasm", "application/wasm"],
  [".wav", "audio/wav"],
  [".webmanifest", "application/manifest+json; charset=utf-8"],
  [".webp", "image/webp"],
  [".woff2", "font/woff2"],
]);
const COMPRESSIBLE = /^(?:text\/|application\/(?:json|manifest\+json|wasm)|image\/svg\+xml)/;
const MIN_COMPRESSED_OCTETS = 1024;
const BROTLI_QUALITY = 9;

const MAX_FILES = 5000;
const MAX_FILE_OCTETS = 16 * 1024 * 1024;
const MAX_TOTAL_OCTETS = 64 * 1024 * 1024;

/** Vite writes `assets/name-<8 characters of the content's hash>.ext`: such a URL never changes. */
const HASHED = /^(?:\/embed)?\/assets\/[^/]+-[\w-]{8}\.[\w.]+$/;

/** A file of the web phone, held in memory, with its compressed forms. */
export class StaticFile {
  readonly mediaType: string;
  /** Whether its name carries its content's hash, so a browser may keep it for ever. */
  readonly isImmutable: boolean;
  readonly octets: Buffer;
  readonly #hash: string;
  readonly #codings = new Map<Coding, Promise<Buffer>>();

  /** @param path as in the URL, with its leading slash */
  constructor(path: string, octets: Buffer) {
    this.octets = octets;
    this.mediaType = MEDIA_TYPES.get(extname(path).toLowerCase()) ?? "application/octet-stream";
    this.isImmutable = HASHED.test(path);
    this.#hash = createHash("sha256").update(octets).digest("base64url").slice(0, 22);
  }

  get isCompressible(): boolean {
    return this.octets.length >= MIN_COMPRESSED_OCTETS && COMPRESSIBLE.test(this.mediaType);
  }

  /** RFC 9110 §8.8.3: each coding is a representation of its own. */
  etag(coding: Coding): string {
    return coding === "identity" ? `"${this.#hash}"` : `"${this.#hash}-${coding}"`;
  }

  /** The octets in a coding; compressed once, by the first request that wants it. */
  encoded(coding: Coding): Promise<Buffer> {
    const known = this.#codings.get(coding);
    if (known !== undefined) return known;
    const made = compress(this.octets, coding);
    this.#codings.set(coding, made);
    return made;
  }
}

/** The files by URL path. A path that is not a key of it does not exist: nothing is resolved. */
export type StaticIndex = ReadonlyMap<string, StaticFile>;

/**
 * Reads a directory with its subdirectories. Links, dot files and files above 16 MiB are left out.
 *
 * @returns undefined when there is no index.html
 */
export async function loadStaticIndex(root: string): Promise<StaticIndex | undefined> {
  const index = new Map<string, StaticFile>();
  let total = 0;
  const pending = [""];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    const entries = await readdir(join(root, folder), { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (entry.name.startsWith(".")) continue;
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) pending.push(path);
      if (!entry.isFile() || index.size >= MAX_FILES) continue;
      const size = (await stat(join(root, path)).catch(() => undefined))?.size ?? Infinity;
      if (size > MAX_FILE_OCTETS || total + size > MAX_TOTAL_OCTETS) continue;
      const octets = await readFile(join(root, path)).catch(() => undefined);
      if (octets === undefined) continue;
      total += octets.length;
      index.set(path, new StaticFile(path, octets));
    }
  }
  return index.has("/index.html") ? index : undefined;
}

const brotliAsync = promisify(brotliCompress);
const gzipAsync = promisify(gzip);

async function compress(octets: Buffer, coding: Coding): Promise<Buffer> {
  if (coding === "identity") return octets;
  if (coding === "gzip") return gzipAsync(octets);
  return brotliAsync(octets, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY,
      [constants.BROTLI_PARAM_SIZE_HINT]: octets.length,
    },
  });
}
