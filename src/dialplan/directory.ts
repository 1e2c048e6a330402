import type { Caller } from "./decision.ts";
import { e164Candidates } from "./number.ts";

/** What the dialplan knows of a user. */
export interface DialplanUser {
  readonly id: string;
  /** E.164. */
  readonly numbers: readonly string[];
  readonly groups: readonly string[];
}

/** Finds users by id and by number. */
export class Directory {
  readonly #users: ReadonlyMap<string, DialplanUser>;
  readonly #idsByNumber = new Map<string, string[]>();
  readonly #country: string | undefined;

  /** @param country ISO 3166 code for national numbers */
  constructor(users: ReadonlyMap<string, DialplanUser>, country: string | undefined) {
    this.#users = users;
    this.#country = country;
    for (const user of users.values()) {
      for (const number of user.numbers) {
        const ids = this.#idsByNumber.get(number);
        if (ids === undefined) this.#idsByNumber.set(number, [user.id]);
        else ids.push(user.id);
      }
    }
  }

  get ids(): Iterable<string> {
    return this.#users.keys();
  }

  has(id: string): boolean {
    return this.#users.has(id);
  }

  /** The user with this id, else all users with this number; empty when there is none. */
  find(idOrNumber: string): readonly string[] {
    if (this.#users.has(idOrNumber)) return [idOrNumber];
    if (this.#idsByNumber.size === 0) return [];
    for (const number of e164Candidates(idOrNumber, this.#country)) {
      const ids = this.#idsByNumber.get(number);
      if (ids !== undefined) return ids;
    }
    return [];
  }

  /** The number as it came and every E.164 number that it may stand for. */
  spellings(number: string): readonly string[] {
    return [...new Set([number, ...e164Candidates(number, this.#country)])];
  }

  /**
   * The user as a caller, by id or by number.
   *
   * @returns undefined when no single user has it
   */
  caller(idOrNumber: string): Caller | undefined {
    const [id, ...others] = this.find(idOrNumber);
    const user = id === undefined || others.length > 0 ? undefined : this.#users.get(id);
    if (user === undefined) return undefined;
    return { kind: "user", id: user.id, groups: user.groups, numbers: user.numbers };
  }
}
