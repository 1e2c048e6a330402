/** What is taken of a bencoded value; the rest is stepped over. */
type Taken =
  /** A text or a number. */
  | "scalar"
  /** The same of every item of a list, and of every value of a dictionary. */
  | { readonly each: Taken }
  /** Those texts of a list that are one of these. */
  | { readonly words: readonly Word[] }
  /** These keys of a dictionary. */
  | { readonly keys: readonly Key[] };

interface Word {
  readonly name: string;
  readonly octets: Buffer;
}

interface Key extends Word {
  readonly taken: Taken;
}

function words(...names: readonly string[]): Taken {
  return { words: names.map((name) => ({ name, octets: Buffer.from(name) })) };
}

function keys(taken: Readonly<Record<string, Taken>>): Taken {
  const all = Object.entries(taken);
  return { keys: all.map(([name, value]) => ({ name, octets: Buffer.from(name), taken: value })) };
}

function scalars(...names: readonly string[]): Taken {
  return keys(Object.fromEntries(names.map((name) => [name, "scalar"])));
}

/** What every reply may have. */
const OUTCOME = { result: "scalar", "error-reason": "scalar" } as const;

const DESCRIPTION = keys({ ...OUTCOME, sdp: "scalar" });

/** All that `report.ts` reads. */
const STATISTICS = keys({
  ...OUTCOME,
  SSRC: {
    each: keys({
      "average MOS": scalars("MOS", "jitter", "round-trip time", "packet loss"),
      "lowest MOS": scalars("MOS"),
    }),
  },
  tags: {
    each: keys({
      medias: {
        each: keys({
          type: "scalar",
          protocol: "scalar",
          flags: words("transcoding"),
          streams: {
            each: keys({
              SSRC: "scalar",
              "ingress SSRCs": { each: scalars("SSRC") },
              flags: words("RTP", "confirmed", "DTLS fingerprint verified"),
              stats: scalars("packets", "errors"),
            }),
          },
        }),
      },
    }),
  },
});

/** The commands of every call, by name. */
const TAKEN: ReadonlyMap<string | undefined, Taken> = new Map([
  ["offer", DESCRIPTION],
  ["answer", DESCRIPTION],
  ["query", STATISTICS],
  ["delete", STATISTICS],
]);

/**
 * Reads rtpengine's reply to `offer`, `answer`, `query` or `delete` (ng control protocol, bencode), and
 * of it only what we use: `result`, `error-reason`, `sdp`, and the statistics that `report.ts` reads.
 *
 * @param from where the bencode begins
 * @returns undefined for another command
 * @throws Error when it is broken, or has a key `__proto__` where ours would be
 */
export function tryDecodeReply(
  command: string | undefined,
  datagram: Buffer,
  from: number,
): { readonly data: unknown } | undefined {
  const taken = TAKEN.get(command);
  return taken === undefined ? undefined : { data: new BencodeReader(datagram, from).read(taken) };
}

const INTEGER = 0x69; // i
const LIST = 0x6c; // l
const DICTIONARY = 0x64; // d
const END = 0x65; // e
const COLON = 0x3a;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;

class BencodeReader {
  readonly #octets: Buffer;
  #at: number;

  constructor(octets: Buffer, from: number) {
    this.#octets = octets;
    this.#at = from;
  }

  /** @returns undefined where a value of another kind than the taken one was */
  read(taken: Taken): unknown {
    const kind = this.#octets[this.#at];
    const isScalar = kind !== LIST && kind !== DICTIONARY;
    if (taken === "scalar") {
      if (isScalar) return kind === INTEGER ? this.#integer() : this.#text();
    } else if ("keys" in taken) {
      if (kind === DICTIONARY) return this.#some(taken.keys);
    } else if ("words" in taken) {
      if (kind === LIST) return this.#words(taken.words);
    } else if (!isScalar) {
      return kind === LIST ? this.#list(taken.each) : this.#all(taken.each);
    }
    return this.#skip();
  }

  #list(taken: Taken): readonly unknown[] {
    const items: unknown[] = [];
    this.#at += 1;
    while (!this.#atEnd()) items.push(this.read(taken));
    return items;
  }

  #words(taken: readonly Word[]): readonly string[] {
    const items: string[] = [];
    this.#at += 1;
    while (!this.#atEnd()) {
      const octet = this.#octets[this.#at] ?? 0;
      const word = isDigit(octet) ? this.#oneOf(taken) : this.#skip();
      if (word !== undefined) items.push(word.name);
    }
    return items;
  }

  /** A dictionary with all of its keys. */
  #all(taken: Taken): Readonly<Record<string, unknown>> {
    const values: Record<string, unknown> = {};
    this.#at += 1;
    while (!this.#atEnd()) {
      const key = this.#text();
      // Assigned, it would be the prototype.
      if (key === "__proto__") throw new Error("a reply with a key __proto__");
      values[key] = this.read(taken);
    }
    return values;
  }

  /** A dictionary with some of its keys. */
  #some(taken: readonly Key[]): Readonly<Record<string, unknown>> {
    const values: Record<string, unknown> = {};
    this.#at += 1;
    while (!this.#atEnd()) {
      const key = this.#oneOf(taken);
      if (key === undefined) this.#skip();
      else values[key.name] = this.read(key.taken);
    }
    return values;
  }

  /** Steps over a text. @returns which of these it is */
  #oneOf<Known extends Word>(known: readonly Known[]): Known | undefined {
    const start = this.#skipText();
    for (const one of known) {
      const { octets } = one;
      if (octets.length !== this.#at - start) continue;
      let same = 0;
      while (same < octets.length && octets[same] === this.#octets[start + same]) same += 1;
      if (same === octets.length) return one;
    }
    return undefined;
  }

  /** Steps over the `e` of a list or a dictionary, if it is there. */
  #atEnd(): boolean {
    if (this.#octets[this.#at] !== END) return false;
    this.#at += 1;
    return true;
  }

  /** Steps over one value of any kind. */
  #skip(): undefined {
    let depth = 0;
    do {
      const kind = this.#octets[this.#at];
      if (kind === LIST || kind === DICTIONARY) {
        depth += 1;
        this.#at += 1;
      } else if (kind === END && depth > 0) {
        depth -= 1;
        this.#at += 1;
      } else if (kind === INTEGER) {
        this.#integer();
      } else {
        this.#skipText();
      }
    } while (depth > 0);
    return undefined;
  }

  #text(): string {
    const start = this.#skipText();
    return this.#octets.toString("utf8", start, this.#at);
  }

  /** @returns where the text begins; it ends where we are */
  #skipText(): number {
    const length = this.#digits(COLON);
    const start = this.#at;
    if (length > this.#octets.length - start) throw broken();
    this.#at += length;
    return start;
  }

  #integer(): number {
    this.#at += 1;
    if (this.#octets[this.#at] !== MINUS) return this.#digits(END);
    this.#at += 1;
    return -this.#digits(END);
  }

  /** A number, and the octet behind it. */
  #digits(until: number): number {
    const start = this.#at;
    let value = 0;
    for (;;) {
      const octet = this.#octets[this.#at] ?? 0;
      this.#at += 1;
      if (!isDigit(octet)) {
        if (octet !== until || this.#at === start + 1) throw broken();
        return value;
      }
      value = value * 10 + (octet - ZERO);
    }
  }
}

function isDigit(octet: number): boolean {
  return octet >= ZERO && octet <= NINE;
}

function broken(): Error {
  return new Error("a reply with broken bencode");
}
