/**
 * How a pattern ends: with its last element, with one or more, or with zero or more of anything.
 */
export type PatternTail = "end" | "some" | "any";

/** A pattern as its elements: the characters that each place may have, then how it ends. */
export interface NumberPattern {
  readonly elements: readonly string[];
  readonly tail: PatternTail;
}

interface Node<Value> {
  /** Branches for one character. */
  exact: Map<number, Node<Value>> | undefined;
  /** Branches for any character of a set. */
  sets: { readonly set: CharacterSet; readonly node: Node<Value> }[] | undefined;
  end: Value | undefined;
  some: Value | undefined;
  any: Value | undefined;
}

/**
 * Finds the patterns that match a number without looking at the others: one step per digit along a
 * trie whose branches are digits and sets of digits. The cost is that of the branches that match,
 * not of the patterns there are.
 */
export class NumberTrie<Value> {
  readonly #root: Node<Value> = emptyNode();

  /** The value of exactly this pattern, made by `make` when it has none yet. */
  at({ elements, tail }: NumberPattern, make: () => Value): Value {
    let node = this.#root;
    for (const element of elements) node = branch(node, element);
    switch (tail) {
      case "end":
        return (node.end ??= make());
      case "some":
        return (node.some ??= make());
      case "any":
        return (node.any ??= make());
    }
  }

  /** Calls `found` with the value of each pattern that matches. */
  match(number: string, found: (value: Value) => void): void {
    walk(this.#root, number, 0, found);
  }
}

function emptyNode<Value>(): Node<Value> {
  return { exact: undefined, sets: undefined, end: undefined, some: undefined, any: undefined };
}

function branch<Value>(node: Node<Value>, element: string): Node<Value> {
  if (element.length === 1) {
    node.exact ??= new Map();
    const code = element.charCodeAt(0);
    const known = node.exact.get(code);
    if (known !== undefined) return known;
    const made = emptyNode<Value>();
    node.exact.set(code, made);
    return made;
  }
  node.sets ??= [];
  const set = CharacterSet.of(element);
  const known = node.sets.find((candidate) => candidate.set === set);
  if (known !== undefined) return known.node;
  const made = emptyNode<Value>();
  node.sets.push({ set, node: made });
  return made;
}

function walk<Value>(
  start: Node<Value>,
  number: string,
  from: number,
  found: (value: Value) => void,
): void {
  let node = start;
  let position = from;
  for (;;) {
    if (node.any !== undefined) found(node.any);
    if (position === number.length) {
      if (node.end !== undefined) found(node.end);
      return;
    }
    if (node.some !== undefined) found(node.some);
    const code = number.charCodeAt(position);
    const next = node.exact?.get(code);
    if (node.sets !== undefined) {
      for (const { set, node: behind } of node.sets) {
        if (set.has(code)) walk(behind, number, position + 1, found);
      }
    }
    if (next === undefined) return;
    node = next;
    position += 1;
  }
}

/** The characters of one place; equal sets are one object. */
class CharacterSet {
  static readonly #known = new Map<string, CharacterSet>();
  readonly #codes: ReadonlySet<number>;

  private constructor(characters: string) {
    this.#codes = new Set(Array.from(characters, (character) => character.charCodeAt(0)));
  }

  static of(characters: string): CharacterSet {
    const name = [...new Set(characters)].toSorted().join("");
    let set = CharacterSet.#known.get(name);
    if (set === undefined) {
      set = new CharacterSet(name);
      CharacterSet.#known.set(name, set);
    }
    return set;
  }

  has(code: number): boolean {
    return this.#codes.has(code);
  }
}
