import type { Caller } from "./decision.ts";
import { NumberTrie } from "./number-trie.ts";
import type { NumberMatcher } from "./pattern.ts";
import type { FromSource } from "./source.ts";

/** The routes of one number or pattern, by whom they take calls from; each list in order. */
interface Bucket {
  anyone: number[] | undefined;
  byCaller: Map<string, number[]> | undefined;
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
      const { byCaller } = bucket;
      if (byCaller === undefined) return;
      const own = byCaller.get(from.kind === "user" ? `user ${from.id}` : `trunk ${from.id}`);
      if (own !== undefined) lists.push(own);
      if (from.kind === "trunk") return;
      for (const group of from.groups) {
        const grouped = byCaller.get(`group ${group}`);
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
  return { anyone: undefined, byCaller: undefined };
}

/** Of the keys of `from`, all of which must hold, the one that leaves out most calls. */
function callerKeys(from: FromSource | undefined): readonly string[] | undefined {
  if (from?.user !== undefined) return from.user.map((id) => `user ${id}`);
  if (from?.group !== undefined) return from.group.map((name) => `group ${name}`);
  return from?.trunk?.map((id) => `trunk ${id}`);
}

function put(bucket: Bucket, keys: readonly string[] | undefined, index: number): void {
  if (keys === undefined) {
    bucket.anyone ??= [];
    append(bucket.anyone, index);
    return;
  }
  bucket.byCaller ??= new Map();
  for (const key of keys) {
    const list = bucket.byCaller.get(key);
    if (list === undefined) bucket.byCaller.set(key, [index]);
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
    for (const [which, list] of this.#lists.entries()) {
      let position = this.#positions[which] ?? 0;
      while ((list[position] ?? Number.POSITIVE_INFINITY) <= this.#last) position += 1;
      this.#positions[which] = position;
      const index = list[position];
      if (index !== undefined && (best === undefined || index < best)) best = index;
    }
    if (best !== undefined) this.#last = best;
    return best;
  }
}
