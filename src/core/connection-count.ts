import { networkOf } from "./address.ts";
import type { AddressSet } from "./address.ts";

/** Counts open connections by where they come from, and says when one place has too many. */
export class ConnectionCount {
  readonly #limit: number;
  readonly #exempt: AddressSet | undefined;
  readonly #byNetwork = new Map<string, number>();

  /**
   * @param options.limit connections of one IPv4 address or one IPv6 /64
   * @param options.exempt addresses that are not counted, such as a reverse proxy's
   */
  constructor(options: { readonly limit: number; readonly exempt?: AddressSet | undefined }) {
    this.#limit = options.limit;
    this.#exempt = options.exempt;
  }

  /** @returns a function to call when the connection ends; undefined when it is one too many */
  tryEnter(host: string): (() => void) | undefined {
    if (this.#exempt?.has(host) === true) return () => {};
    const network = networkOf(host);
    const count = this.#byNetwork.get(network) ?? 0;
    if (count >= this.#limit) return undefined;
    this.#byNetwork.set(network, count + 1);
    let isInside = true;
    return () => {
      if (!isInside) return;
      isInside = false;
      const left = (this.#byNetwork.get(network) ?? 1) - 1;
      if (left === 0) this.#byNetwork.delete(network);
      else this.#byNetwork.set(network, left);
    };
  }
}
