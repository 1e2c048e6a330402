import type { Caller } from "./decision.ts";
import { NumberTrie } from "./number-trie.ts";
import type { NumberMatcher } from "./pattern.ts";
import type { FromSource } from "./source.ts";

/** The routes of one number or pattern, by whom they take calls from; each list in order. */
interface Bucket {
  anyone: number[] | undefined;
  byUser: Map<string, number[]> | undefined;
  byGroup: Map<string, number[]> | undefined;
  byTrunk: Map<string, number[]> | undefined;
}

/** What a route's `to` may be; undefined: anything. */
export interface IndexedNumbers {
  readonly matchers: readonly NumberMatcher[];
  readonly hasUsers: boolean;
}

/** Texts and lists of one call that its routes are looked up by. */
export interface IndexQuery {
  readonly from: Caller;
  readonly to: string;
  /** Whether what was dialled is a user. */
  readonly isUser: () => boolean;
}

/**
 * Which routes can match a call: hash tables for literal numbers, a trie for patterns and for what
 * expressions begin with, each divided by caller. A route that the index leaves out cannot match;
 * one that it names may still fail by another condition.
 */
export class RouteIndex {
  readonly #literals = new Map<string, Bucket>();
  readonly #patterns = new NumberTrie<Bucket>();
  readonly #users = emptyBucket();
  readonly #anything = emptyBucket();
  #hasUsers = false;

  /** Routes are added in their order. */
  add(index: number, numbers: IndexedNumbers | undefined, from: FromSource | undefined): void {
    const keys = callerKeys(from);
    if (numbers === undefined) {
      put(this.#anything, keys, index);
      return;
    }
    if (numbers.hasUsers) {
      this.#hasUsers = true;
      put(this.#users, keys, index);
    }
    for (const matcher of numbers.matchers) {
      switch (matcher.kind) {
        case "literal": {
          let bucket = this.#literals.get(matcher.text);
          if (bucket === undefined) {
            bucket = emptyBucket();
            this.#literals.set(matcher.text, bucket);
          }
          put(bucket, keys, index);
          break;
        }
        case "pattern":
          put(this.#patterns.at(matcher.pattern, emptyBucket), keys, index);
          break;
        case "expression":
          put(
            this.#patterns.at({ elements: Array.from(matcher.prefix), tail: "any" }, emptyBucket),
            keys,
            index,
          );
          break;
      }
    }
  }

  /** The routes that can match, in order, each once. */
  candidates(query: IndexQuery): Candidates {
    const lists: (readonly number[])[] = [];
    const { from, to } = query;
    const take = (bucket: Bucket): void => {
      if (bucket.anyone !== undefined) lists.push(bucket.anyone);
      const own = (from.kind === "user" ? bucket.byUser : bucket.byTrunk)?.get(from.id);
      if (own !== undefined) lists.push(own);
      const { byGroup } = bucket;
      if (byGroup === undefined || from.kind === "trunk") return;
      for (const group of from.groups) {
        const grouped = byGroup.get(group);
        if (grouped !== undefined) lists.push(grouped);
      }
    };
    take(this.#anything);
    const literal = this.#literals.get(to);
    if (literal !== undefined) take(literal);
    this.#patterns.match(to, take);
    if (this.#hasUsers && query.isUser()) take(this.#users);
    return new Candidates(lists);
  }
}

function emptyBucket(): Bucket {
  return { anyone: undefined, byUser: undefined, byGroup: undefined, byTrunk: undefined };
}

interface CallerKeys {
  readonly by: "byUser" | "byGroup" | "byTrunk";
  readonly names: readonly string[];
}

/** Of the keys of `from`, all of which must hold, the one that leaves out most calls. */
function callerKeys(from: FromSource | undefined): CallerKeys | undefined {
  if (from?.user !== undefined) return { by: "byUser", names: from.user };
  if (from?.group !== undefined) return { by: "byGroup", names: from.group };
  return from?.trunk === undefined ? undefined : { by: "byTrunk", names: from.trunk };
}

function put(bucket: Bucket, keys: CallerKeys | undefined, index: number): void {
  if (keys === undefined) {
    bucket.anyone ??= [];
    append(bucket.anyone, index);
    return;
  }
  const lists = (bucket[keys.by] ??= new Map<string, number[]>());
  for (const name of keys.names) {
    const list = lists.get(name);
    if (list === undefined) lists.set(name, [index]);
    else append(list, index);
  }
}

function append(list: number[], index: number): void {
  // Two patterns of one route may end in the same place.
  if (list.at(-1) !== index) list.push(index);
}

/** Several sorted lists as one, without duplicates. */
export class Candidates {
  readonly #lists: readonly (readonly number[])[];
  readonly #positions: number[];
  #last = -1;

  constructor(lists: readonly (readonly number[])[]) {
    this.#lists = lists;
    this.#positions = lists.map(() => 0);
  }

  /** @returns undefined after the last one */
  next(): number | undefined {
    let best: number | undefined;
    for (let which = 0; which < this.#lists.length; which += 1) {
      const list = this.#lists[which];
      let position = this.#positions[which] ?? 0;
      while ((list?.[position] ?? Number.POSITIVE_INFINITY) <= this.#last) position += 1;
      this.#positions[which] = position;
      const index = list?.[position];
      if (index !== undefined && (best === undefined || index < best)) best = index;
    }
    if (best !== undefined) this.#last = best;
    return best;
  }
}
