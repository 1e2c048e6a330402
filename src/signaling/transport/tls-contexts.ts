import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import type { SecureContext, SecureContextOptions } from "node:tls";
import { TransportError } from "./errors.ts";

/** PEM files of one side of a TLS connection; absolute paths. */
export interface TlsFiles {
  /** The certificate, then its chain. */
  readonly certificatePath?: string | undefined;
  readonly keyPath?: string | undefined;
  /** The authorities that the far end's certificate comes from; default: those of Node. */
  readonly caPath?: string | undefined;
}

/** How a TLS connection of ours checks its far end, and what it shows of us. */
export interface TlsPeer {
  /** The SIP domain that the certificate must name; also the server name (SNI). */
  readonly name: string;
  /** False takes any certificate. */
  readonly verify: boolean;
  /** Default: the files of the listeners. */
  readonly files?: TlsFiles | undefined;
  /** For a sips URI; see `Flow.scheme`. */
  readonly scheme?: "sips" | undefined;
}

/** TLS 1.0 and 1.1 are gone (RFC 8996). */
export const MIN_TLS_VERSION = "TLSv1.2";

/**
 * The certificates and keys in use. They are read at the start and at every reload; a new one holds
 * for handshakes from then on, and a wrong one changes nothing.
 */
export class TlsContexts {
  readonly #server: TlsFiles;
  readonly #clients: ReadonlyMap<string, TlsFiles>;
  #material: SecureContextOptions = {};
  #contexts: ReadonlyMap<string, SecureContext> = new Map();

  /**
   * @param server of the listeners, and of connections of ours that name no files
   * @param clients the files that connections of ours will name
   */
  constructor(server: TlsFiles, clients: readonly TlsFiles[]) {
    this.#server = server;
    this.#clients = new Map([server, ...clients].map((files) => [keyOf(files), files]));
  }

  /** For `tls.createServer` and `Server.setSecureContext`. */
  get serverMaterial(): SecureContextOptions {
    return this.#material;
  }

  /** Whether listeners have something to show. */
  get hasServerCertificate(): boolean {
    return this.#server.certificatePath !== undefined && this.#server.keyPath !== undefined;
  }

  /** Whether the certificates of clients can be checked. */
  get hasAuthorities(): boolean {
    return this.#server.caPath !== undefined;
  }

  /**
   * Reads all files, or keeps what was there.
   *
   * @throws TransportError ERR_OFFHOOK_TRANSPORT_TLS with the files that cannot be used
   */
  async load(): Promise<void> {
    const contexts = new Map<string, SecureContext>();
    let material: SecureContextOptions = {};
    for (const [key, files] of this.#clients) {
      try {
        const read = await readMaterial(files);
        contexts.set(key, createSecureContext(read));
        if (key === keyOf(this.#server)) material = read;
      } catch (cause) {
        throw unusable(files, cause);
      }
    }
    this.#contexts = contexts;
    this.#material = material;
  }

  /** What a connection of ours is made with. */
  contextFor(peer: TlsPeer): SecureContext | undefined {
    return this.#contexts.get(keyOf(peer.files ?? this.#server));
  }

  /** What tells the connections of one far end from those of another at the same address. */
  keyFor(peer: TlsPeer): string {
    const { name, verify, scheme = "sip", files = this.#server } = peer;
    return [name.toLowerCase(), verify, scheme, keyOf(files)].join("\n");
  }
}

function keyOf({ certificatePath = "", keyPath = "", caPath = "" }: TlsFiles): string {
  return [certificatePath, keyPath, caPath].join("\n");
}

async function readMaterial(files: TlsFiles): Promise<SecureContextOptions> {
  const [cert, key, ca] = await Promise.all(
    [files.certificatePath, files.keyPath, files.caPath].map(async (path) =>
      path === undefined ? undefined : await readFile(path),
    ),
  );
  return {
    minVersion: MIN_TLS_VERSION,
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(ca === undefined ? {} : { ca }),
  };
}

function unusable(files: TlsFiles, cause: unknown): TransportError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  const named = [files.certificatePath, files.keyPath, files.caPath].filter(
    (path) => path !== undefined,
  );
  return new TransportError(
    "ERR_OFFHOOK_TRANSPORT_TLS",
    `Cannot use ${named.join(", ")} for TLS: ${detail}. They are PEM files under sip.tls or a trunk's tls.`,
    cause,
  );
}
