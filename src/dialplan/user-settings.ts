/** What a user has set for its own calls, by star codes or the API. */
export interface UserSettings {
  readonly doNotDisturb: boolean;
  /** By when it holds; a forward that is off keeps its number. */
  readonly forwards: Readonly<Partial<Record<ForwardKind, Forward>>>;
  /** How long the user rings before the forward `no-answer` holds; undefined: as the route says. */
  readonly noAnswerMs?: number;
}

/** `no-answer` stands for a user without a telephone too. */
export type ForwardKind = "always" | "busy" | "no-answer";
export const FORWARD_KINDS = ["always", "busy", "no-answer"] as const;

export interface Forward {
  /** As the user would dial it. */
  readonly number: string;
  readonly isOn: boolean;
}

export const NOTHING_SET: UserSettings = { doNotDisturb: false, forwards: {} };

/** What a telephone can dial, and no more than an E.164 number with a prefix. */
export const FORWARD_NUMBER = /^[+A-Za-z0-9*#][A-Za-z0-9._*#-]{0,31}$/;

/** The number of a forward that is on. */
export function forwardOf(
  settings: UserSettings | undefined,
  kind: ForwardKind,
): string | undefined {
  const forward = settings?.forwards[kind];
  return forward?.isOn === true ? forward.number : undefined;
}

/** The settings with one forward changed. @param number undefined: the one that it has */
export function withForward(
  settings: UserSettings,
  kind: ForwardKind,
  change: { readonly number?: string | undefined; readonly isOn: boolean },
): UserSettings {
  const number = change.number ?? settings.forwards[kind]?.number;
  if (number === undefined) return settings;
  return { ...settings, forwards: { ...settings.forwards, [kind]: { number, isOn: change.isOn } } };
}
