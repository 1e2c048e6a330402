import type { SipMessage } from "../message/message.ts";

/** What the far end of a dialog has said that it takes; the last word counts. */
export class FarEnd {
  #allowsUpdate = false;
  /** INFO packages (RFC 6086 §5.2.1). */
  #packages: ReadonlySet<string> = new Set();

  /** @param message an INVITE or UPDATE of the far end's, or its response to one of ours */
  constructor(message?: SipMessage) {
    if (message !== undefined) this.learn(message);
  }

  /** RFC 3311 §5.1: UPDATE is sent only to whoever lists it in Allow. */
  get allowsUpdate(): boolean {
    return this.#allowsUpdate;
  }

  /** Whether an INFO of this package may be sent. */
  takesPackage(name: string): boolean {
    return this.#packages.has(packageName(name));
  }

  learn({ headers }: SipMessage): void {
    if (headers.has("Allow")) {
      this.#allowsUpdate = headers.list("Allow").some((method) => method.trim() === "UPDATE");
    }
    if (headers.has("Recv-Info")) {
      this.#packages = new Set(headers.list("Recv-Info").map((name) => packageName(name)));
    }
  }

  /** It has refused an UPDATE with 405 or 501. */
  refusedUpdate(): void {
    this.#allowsUpdate = false;
  }
}

/** The name of an INFO package without parameters, in lower case. */
export function packageName(value: string): string {
  const end = value.indexOf(";");
  return (end < 0 ? value : value.slice(0, end)).trim().toLowerCase();
}
