import type { Caller } from "./decision.ts";
import type { Home } from "./e164.ts";
import { e164Candidates } from "./number.ts";

/** What the dialplan knows of a user. */
export interface DialplanUser {
  readonly id: string;
  /** E.164. */
  readonly numbers: readonly string[];
  readonly groups: readonly string[];
  /** Where the user dials from, when it is not the dialplan's place. */
  readonly country?: string | undefined;
  readonly areaCode?: string | undefined;
}

/** Finds users by id and by number. */
export class Directory {
  readonly #users: ReadonlyMap<string, DialplanUser>;
  readonly #idsByNumber = new Map<string, string[]>();
  readonly #idsByGroup = new Map<string, string[]>();
  readonly #country: string | undefined;
  readonly #home: Home;
  readonly #homes = new Map<string, Home>();

  /** @param home the dialplan's own place: its country reads national numbers */
  constructor(users: ReadonlyMap<string, DialplanUser>, home: Home) {
    this.#users = users;
    this.#country = home.country;
    this.#home = home;
    for (const user of users.values()) {
      const { country, areaCode } = user;
      if (country !== undefined || areaCode !== undefined) {
        this.#homes.set(user.id, {
          country: country ?? home.country,
          // Another country's area code means nothing here.
          areaCode: areaCode ?? (country === undefined ? home.areaCode : undefined),
        });
      }
      for (const group of user.groups) {
        const ids = this.#idsByGroup.get(group);
        if (ids === undefined) this.#idsByGroup.set(group, [user.id]);
        else ids.push(user.id);
      }
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

  /** Ids of the users in a group, in the order of the file. */
  members(group: string): readonly string[] {
    return this.#idsByGroup.get(group) ?? [];
  }

  /** Where a caller dials from. */
  homeOf(caller: Caller): Home {
    if (caller.kind === "trunk" || this.#homes.size === 0) return this.#home;
    return this.#homes.get(caller.id) ?? this.#home;
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
