/**
 * Base of every error that Offhook throws on purpose.
 *
 * `code` is stable (`ERR_OFFHOOK_…`) and listed in docs/errors.md; `message` says what happened,
 * why, and what to do. Each room has one `errors.ts` with its own subclasses.
 */
export class OffhookError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}
