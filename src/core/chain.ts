/** What a {@link Chain} is made of; of one chain at a time. */
export class Link {
  /** Only for the chain. */
  previous: Link | undefined;
  next: Link | undefined;
}

/**
 * A list in the order of adding, from whose middle a member goes without a search: for what comes
 * and goes with every message, where a `Set` would hash each member twice and now and then grow.
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
    member.previous = last;
    if (last === undefined) this.#first = member;
    else last.next = member;
    this.#last = member;
  }

  /** @param member in this chain */
  delete(member: Member): void {
    const { previous, next } = member;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    member.previous = undefined;
    member.next = undefined;
  }
}
