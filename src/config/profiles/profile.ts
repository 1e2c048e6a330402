/** A key of a trunk as it would be written in the file, and why this peer wants it so. */
export interface ProfileKey {
  readonly value: string | readonly string[] | Readonly<Record<string, string>>;
  readonly why: string;
}

/** The keys that a profile may set: everything of a trunk but what only its owner knows. */
export type ProfileKeyName =
  | "codecs"
  | "dtmf"
  | "srtp"
  | "ping"
  | "100rel"
  | "session-timer"
  | "trust"
  | "identity"
  | "number-format"
  | "from-domain"
  | "from-user"
  | "user-phone"
  | "diversion";

/** What differs in a kind of PBX or a carrier from the defaults of a trunk. */
export interface TrunkProfile {
  /** As in `profile: …`. */
  readonly name: string;
  /** As its maker writes it. */
  readonly title: string;
  /** What `peer` looks like. */
  readonly peer: string;
  /** Parts of its Server or User-Agent, in lower case; none where nothing gives it away. */
  readonly agents: readonly string[];
  readonly keys: { readonly [Name in ProfileKeyName]?: ProfileKey };
  /** What has to be done elsewhere, and what to know. */
  readonly notes: readonly string[];
}

/** A value as it would be written in the file. */
export function formatProfileValue(value: ProfileKey["value"]): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return `[${value.join(", ")}]`;
  const entries = Object.entries(value).map(([key, text]) => `${key}: ${text}`);
  return `{ ${entries.join(", ")} }`;
}
