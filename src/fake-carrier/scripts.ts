/**
 * What the carrier does with a call, by the last three digits of the number dialled. One table: the
 * help of the command and docs/fake-carrier.md are made from it.
 */

/** What comes before the final response. */
export type Opening =
  /** Nothing at all, not even 100. */
  | "silence"
  /** 100, and nothing more. */
  | "trying"
  /** 180. */
  | "ringing"
  /** 180, 183 with a tone a while later. */
  | "slow-183"
  /** Two 183 with tags of their own; the second one answers. */
  | "forks"
  /** 407; what follows comes after the right password. */
  | "challenge";

/** What the caller hears. */
export type Sound =
  /** Its own packets. */
  | "echo"
  /** A tone of 440 Hz. */
  | "tone"
  /** Its own packets, some of them. */
  | "lossy";

/** What happens in the call once it is answered. */
export type Turn =
  | "hang-up"
  | "late-offer"
  | "hold"
  | "refer"
  | "new-payload-types"
  | "session-timer";

/** How one call goes. */
export interface CarrierScript {
  readonly title: string;
  readonly opening: Opening;
  /** How long until the final response, milliseconds. */
  readonly openingMs: number;
  /** Undefined: none ever comes. */
  readonly final: number | undefined;
  readonly sound: Sound;
  readonly turn: Turn | undefined;
  /** When, after the answer, milliseconds. */
  readonly turnMs: number;
}

const answered = (title: string, change: Partial<CarrierScript> = {}): CarrierScript => ({
  title,
  opening: "ringing",
  openingMs: 200,
  final: 200,
  sound: "echo",
  turn: undefined,
  turnMs: 1000,
  ...change,
});
const refused = (status: number, title: string): CarrierScript =>
  answered(title, { opening: "trying", openingMs: 0, final: status });
const unanswered = (opening: Opening, title: string): CarrierScript =>
  answered(title, { opening, final: undefined });

/** The numbers with a script of their own. */
export const SCRIPTS: ReadonlyMap<string, CarrierScript> = new Map([
  ["200", answered("rings, answers, sends back what it hears")],
  ["201", answered("answers with a tone of 440 Hz", { sound: "tone" })],
  ["202", answered("answers, hangs up 2 s later", { turn: "hang-up", turnMs: 2000 })],
  ["203", answered("answers, loses every fifth packet of what it sends back", { sound: "lossy" })],
  ["210", answered("sends a re-INVITE without an offer after 1 s", { turn: "late-offer" })],
  ["211", answered("session timer of 90 s, refreshed by the carrier", { turn: "session-timer" })],
  ["212", answered("holds after 1 s, resumes 2 s later", { turn: "hold" })],
  ["213", answered("transfers its party to 200 by REFER after 1 s", { turn: "refer" })],
  ["214", answered("changes codec and payload types after 1 s", { turn: "new-payload-types" })],
  ["000", unanswered("silence", "says nothing at all")],
  ["100", unanswered("trying", "says 100 and nothing more")],
  ["180", unanswered("ringing", "rings and is never answered")],
  [
    "182",
    answered("two forks with 183 of their own, the second answers", {
      opening: "forks",
      openingMs: 1000,
    }),
  ],
  [
    "183",
    answered("183 with a tone after 1 s, answers 2 s later", {
      opening: "slow-183",
      openingMs: 3000,
    }),
  ],
  ["302", refused(302, "redirects to 200")],
  ["407", answered("wants a password, then as 200", { opening: "challenge" })],
  ["486", refused(486, "is busy")],
  ["488", refused(488, "does not like the offer")],
  ["503", refused(503, "is congested, with Retry-After")],
]);

const USUAL = "200";

/** How a call to this number goes. */
export function scriptOf(number: string): CarrierScript {
  const digits = number.replace(/[^0-9]/g, "").slice(-3);
  const known = SCRIPTS.get(digits);
  if (known !== undefined) return known;
  if (/^22[0-9]$/.test(digits)) {
    const seconds = Number(digits.slice(2));
    const title = `answers, hangs up ${seconds} s later`;
    return answered(title, { turn: "hang-up", turnMs: seconds * 1000 });
  }
  const status = Number(digits);
  if (digits.length === 3 && status >= 400 && status <= 699) {
    return refused(status, "is refused with this status");
  }
  return SCRIPTS.get(USUAL) ?? answered("");
}

/** The numbers for people, one a line. */
export function scriptLines(): readonly string[] {
  return [
    ...Array.from(SCRIPTS, ([number, { title }]) => `${number}  ${title}`),
    "22N  answers, hangs up N seconds later",
    "4XX, 5XX, 6XX  any other one of these is refused with this status",
    "anything else is as 200",
  ];
}
