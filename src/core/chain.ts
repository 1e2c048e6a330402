/** What a {@link Chain} is made of. It is in one chain at a time. */
export class Link {
  /** These three are the chain's. */
  chain: unknown;
  previous: Link | undefined;
  next: Link | undefined;
}

/**
 * A list in the order of adding, out of whose middle a member goes without a search: for what comes
 * and goes with every message, where a `Set` would hash each member and now and then grow.
 */
export class Chain<Member extends Link> {
  #first: Link | undefined;
  #last: Link | undefined;

  /** The member that was added before all others. */
  get first(): Member | undefined {
    return this.#first as Member | undefined;
  }

  /** @param member in no chain yet */
  add(member: Member): void {
    const last = this.#last;
    member.chain = this;
    member.previous = last;
    if (last === undefined) this.#first = member;
    else last.next = member;
    this.#last = member;
  }

  /** @returns false when it was not in this chain */
  delete(member: Member): boolean {
    if (member.chain !== this) return false;
    const { previous, next } = member;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    member.chain = undefined;
    member.previous = undefined;
    member.next = undefined;
    return true;
  }

  /** Takes all members out. @returns them, the first one first */
  drain(): readonly Member[] {
    const members: Member[] = [];
    for (let { first } = this; first !== undefined; first = this.first) {
      members.push(first);
      this.delete(first);
    }
    return members;
  }
}
