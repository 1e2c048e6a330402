/** The people whom a user knows by name: plain data and pure functions. */

/** One person with one number. */
export interface Contact {
  readonly id: string;
  readonly name: string;
  readonly number: string;
  /** Whether the phone shows what this colleague's phone does. */
  readonly isWatched: boolean;
}

/** As many as are kept. */
export const CONTACTS_LIMIT = 2000;
const TEXT_LIMIT = 120;

/** Case, accents and doubled spaces do not matter to a search. */
function folded(text: string): string {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLocaleLowerCase().trim();
}

function digitsOf(text: string): string {
  return Array.from(text)
    .filter((character) => character >= "0" && character <= "9")
    .join("");
}

/** @returns the contacts with each word of the query at the begin of a word, or with its digits */
export function searchContacts(contacts: readonly Contact[], query: string): readonly Contact[] {
  const words = folded(query)
    .split(" ")
    .filter((word) => word !== "");
  if (words.length === 0) return contacts;
  const digits = digitsOf(query);
  return contacts.filter(({ name, number }) => {
    const parts = folded(name).split(" ");
    const isNamed = words.every((word) => parts.some((part) => part.startsWith(word)));
    return isNamed || (digits.length > 1 && digitsOf(number).includes(digits));
  });
}

/** By name, as the language sorts. */
export function sortContacts(contacts: readonly Contact[], language: string): readonly Contact[] {
  const { compare } = new Intl.Collator(language, { sensitivity: "base", numeric: true });
  return contacts.toSorted((a, b) => compare(a.name, b.name));
}

/** Adds or replaces by id; `undefined` when there is no room. */
export function saveContact(
  contacts: readonly Contact[],
  contact: Contact,
): readonly Contact[] | undefined {
  const clean: Contact = {
    ...contact,
    name: contact.name.trim().slice(0, TEXT_LIMIT),
    number: contact.number.trim().slice(0, TEXT_LIMIT),
  };
  const isKnown = contacts.some(({ id }) => id === clean.id);
  if (isKnown) return contacts.map((one) => (one.id === clean.id ? clean : one));
  return contacts.length >= CONTACTS_LIMIT ? undefined : [...contacts, clean];
}

/** Those of `found` that are not there already, up to the limit. */
export function newContacts(
  contacts: readonly Contact[],
  found: readonly Pick<Contact, "name" | "number">[],
  newId: () => string,
): readonly Contact[] {
  const known = new Set(contacts.map(({ name, number }) => `${name}\n${number}`));
  const added: Contact[] = [];
  for (const { name, number } of found) {
    const key = `${name}\n${number}`;
    if (known.has(key) || contacts.length + added.length >= CONTACTS_LIMIT) continue;
    known.add(key);
    added.push({
      id: newId(),
      name: name.slice(0, TEXT_LIMIT),
      number: number.slice(0, TEXT_LIMIT),
      isWatched: false,
    });
  }
  return added;
}

function isContact(value: unknown): value is Contact {
  if (typeof value !== "object" || value === null) return false;
  const contact: Partial<Record<keyof Contact, unknown>> = value;
  return (
    typeof contact.id === "string" &&
    typeof contact.name === "string" &&
    typeof contact.number === "string" &&
    typeof contact.isWatched === "boolean"
  );
}

/** What was kept, without what is no contact. */
export function parseContacts(value: unknown): readonly Contact[] {
  return Array.isArray(value) ? value.filter(isContact).slice(0, CONTACTS_LIMIT) : [];
}
