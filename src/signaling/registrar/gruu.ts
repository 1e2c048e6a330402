import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import type { CalledInstance } from "../engine.ts";
import { buildSipUri } from "../message/uri.ts";
import type { SipUri } from "../message/uri.ts";

/** What a GRUU leads to. */
export interface GruuTarget extends CalledInstance {
  /** Only of a temporary one: what the Call-ID of its registration must give. */
  readonly registration: string | undefined;
}

const ALGORITHM = "aes-256-gcm";
const IV_OCTETS = 12;
const TAG_OCTETS = 16;
const TEMPORARY = "tgruu.";
const REGISTRATION_LENGTH = 8;

/**
 * The GRUUs of the domain (RFC 5627): one public one for each instance, and temporary ones that
 * hide user and instance. A temporary one holds what it leads to, encrypted, so that none is kept;
 * it ends with its registration, or with the process.
 */
export class Gruus {
  readonly #domain: string;
  readonly #key = randomBytes(32);

  constructor(domain: string) {
    this.#domain = domain.toLowerCase();
  }

  /** RFC 5627 §5.4: the address-of-record with the instance as `gr`. */
  publicOf({ userId, instanceId }: CalledInstance): string {
    return buildSipUri({ user: userId, host: this.#domain, params: [["gr", instanceId]] });
  }

  /** A new one at each call. @param callId of the registration (RFC 5627 §5.3) */
  temporaryOf({ userId, instanceId }: CalledInstance, callId: string): string {
    const iv = randomBytes(IV_OCTETS);
    const cipher = createCipheriv(ALGORITHM, this.#key, iv);
    const plain = [userId, instanceId, registrationOf(callId)].join("\n");
    const sealed = Buffer.concat([iv, cipher.update(plain, "utf8"), cipher.final()]);
    const token = Buffer.concat([sealed, cipher.getAuthTag()]).toString("base64url");
    return buildSipUri({
      user: `${TEMPORARY}${token}`,
      host: this.#domain,
      params: [["gr", undefined]],
    });
  }

  /** Whether the URI is a GRUU of this domain, or pretends to be. */
  isGruu(uri: SipUri): boolean {
    return uri.host === this.#domain && uri.params.has("gr");
  }

  /** @returns undefined when it is none of ours */
  resolve(uri: SipUri): GruuTarget | undefined {
    if (!this.isGruu(uri) || uri.user === undefined) return undefined;
    const instanceId = uri.params.get("gr");
    if (instanceId !== undefined && instanceId !== "") {
      return { userId: uri.user, instanceId, registration: undefined };
    }
    return uri.user.startsWith(TEMPORARY)
      ? this.#open(uri.user.slice(TEMPORARY.length))
      : undefined;
  }

  #open(token: string): GruuTarget | undefined {
    const sealed = Buffer.from(token, "base64url");
    if (sealed.length <= IV_OCTETS + TAG_OCTETS) return undefined;
    const decipher = createDecipheriv(ALGORITHM, this.#key, sealed.subarray(0, IV_OCTETS));
    decipher.setAuthTag(sealed.subarray(-TAG_OCTETS));
    try {
      const plain = Buffer.concat([
        decipher.update(sealed.subarray(IV_OCTETS, -TAG_OCTETS)),
        decipher.final(),
      ]).toString("utf8");
      const [userId = "", instanceId = "", registration] = plain.split("\n");
      return { userId, instanceId, registration };
    } catch {
      // Not sealed with our key: forged, or from before a restart.
      return undefined;
    }
  }
}

/** What a temporary GRUU keeps of the Call-ID of its registration. */
export function registrationOf(callId: string): string {
  return createHash("sha256")
    .update(callId, "latin1")
    .digest("base64url")
    .slice(0, REGISTRATION_LENGTH);
}
