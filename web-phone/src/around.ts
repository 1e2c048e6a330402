/**
 * What goes on around the calls, as plain data: messages that wait at the mailbox, lamps of
 * colleagues, written messages, and whether the user wants to be left alone.
 */

/** Spoken messages at the mailbox (RFC 3842). */
export interface Voicemail {
  readonly waiting: number;
  readonly old: number;
}

/** What a colleague's phone does (RFC 4235); `unknown` while nobody has told. */
export type LampState = "unknown" | "idle" | "ringing" | "busy";

/** The lamp of one colleague. */
export interface Lamp {
  readonly number: string;
  readonly state: LampState;
}

/** A written message (RFC 3428). */
export interface Message {
  readonly id: string;
  /** The other one: who wrote it, or to whom it goes. */
  readonly peer: string;
  readonly name: string | undefined;
  readonly direction: "outgoing" | "incoming";
  readonly text: string;
  readonly at: number;
  readonly state: "sending" | "sent" | "failed" | "unread" | "read";
}

/** All of it. */
export interface Around {
  readonly isDoNotDisturb: boolean;
  readonly voicemail: Voicemail | undefined;
  readonly lamps: readonly Lamp[];
  /** The oldest first. */
  readonly messages: readonly Message[];
}

/** What can happen around the calls. */
export type AroundEvent =
  | { readonly type: "do-not-disturb-changed"; readonly isOn: boolean }
  | { readonly type: "voicemail-changed"; readonly voicemail: Voicemail }
  | { readonly type: "lamps-wanted"; readonly numbers: readonly string[] }
  | { readonly type: "lamp-changed"; readonly number: string; readonly state: LampState }
  | {
      readonly type: "message-written";
      readonly id: string;
      readonly to: string;
      readonly text: string;
      readonly at: number;
    }
  | { readonly type: "message-settled"; readonly id: string; readonly isSent: boolean }
  | {
      readonly type: "message-arrived";
      readonly id: string;
      readonly from: string;
      readonly name: string | undefined;
      readonly text: string;
      readonly at: number;
    }
  | { readonly type: "messages-read"; readonly peer: string };

/** Nothing going on. */
export const NOTHING_AROUND: Around = {
  isDoNotDisturb: false,
  voicemail: undefined,
  lamps: [],
  messages: [],
};

const MESSAGES_KEPT = 500;
/** The gateway serves a user 50 subscriptions, one of them for the mailbox. */
export const LAMPS_LIMIT = 48;

function withMessage(around: Around, message: Message): Around {
  return { ...around, messages: [...around.messages, message].slice(-MESSAGES_KEPT) };
}

/** What is around after the event. Pure. */
export function reduceAround(around: Around, event: AroundEvent): Around {
  switch (event.type) {
    case "do-not-disturb-changed":
      return { ...around, isDoNotDisturb: event.isOn };
    case "voicemail-changed":
      return { ...around, voicemail: event.voicemail };
    case "lamps-wanted": {
      const known = new Map(around.lamps.map((lamp) => [lamp.number, lamp]));
      const numbers = [...new Set(event.numbers)].slice(0, LAMPS_LIMIT);
      return {
        ...around,
        lamps: numbers.map((number) => known.get(number) ?? { number, state: "unknown" }),
      };
    }
    case "lamp-changed":
      return {
        ...around,
        lamps: around.lamps.map((lamp) =>
          lamp.number === event.number ? { ...lamp, state: event.state } : lamp,
        ),
      };
    case "message-written":
      return withMessage(around, {
        id: event.id,
        peer: event.to,
        name: undefined,
        direction: "outgoing",
        text: event.text,
        at: event.at,
        state: "sending",
      });
    case "message-settled":
      return {
        ...around,
        messages: around.messages.map((message) =>
          message.id === event.id && message.state === "sending"
            ? { ...message, state: event.isSent ? "sent" : "failed" }
            : message,
        ),
      };
    case "message-arrived":
      return withMessage(around, {
        id: event.id,
        peer: event.from,
        name: event.name,
        direction: "incoming",
        text: event.text,
        at: event.at,
        state: "unread",
      });
    case "messages-read":
      return {
        ...around,
        messages: around.messages.map((message) =>
          message.peer === event.peer && message.state === "unread"
            ? { ...message, state: "read" }
            : message,
        ),
      };
  }
}
