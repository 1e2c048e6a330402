/** What we take at most. */
export const PARSER_LIMITS = {
  /** Octets of a whole message. */
  messageOctets: 65_536,
  /** Header lines, folded ones counted once. */
  headerLines: 128,
  /** Octets of one header line with its folds. */
  headerOctets: 8192,
  /** Via values. */
  vias: 70,
  /** Octets of the Request-URI. */
  requestUriOctets: 1024,
} as const;
