/** One plan that was in force, as the API shows it. */
export interface PlanVersionView {
  readonly version: number;
  /** ISO 8601. */
  readonly at: string;
  readonly hash: string;
  readonly how: "start" | "signal" | "file" | "api" | "rollback";
  /** The name of the token, when it was the API. */
  readonly by?: string;
  readonly routes: number;
  /** Of a roll-back: the version that it went back to. */
  readonly of?: number;
  readonly isInForce: boolean;
}
