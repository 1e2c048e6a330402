/** How much of a message is taken at most. */
export interface ParserLimits {
  /** Octets of a whole message. Default 65 536. */
  readonly messageOctets: number;
  /** Header lines, folded ones counted once. Default 128. */
  readonly headerLines: number;
  /** Octets of one header line with its folds. Default 8192. */
  readonly headerOctets: number;
  /** Via values. Default 70. */
  readonly vias: number;
  /** Octets of the Request-URI. Default 1024. */
  readonly requestUriOctets: number;
}

/** What we take when nobody says otherwise. */
export const PARSER_LIMITS: ParserLimits = {
  messageOctets: 65_536,
  headerLines: 128,
  headerOctets: 8192,
  vias: 70,
  requestUriOctets: 1024,
};
