import type { z } from "zod";
import { errorReply, type Reply } from "./reply.ts";

/** A body in its expected shape, or the answer that says what is wrong with it. */
export type Validated<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly reply: Reply };

const MAX_MESSAGE_LENGTH = 500;

/** Checks a body against its schema. */
export function parseBody<Value>(schema: z.ZodType<Value>, body: unknown): Validated<Value> {
  const result = schema.safeParse(body);
  if (result.success) return { ok: true, value: result.data };
  const issue = result.error.issues[0];
  const path = issue === undefined || issue.path.length === 0 ? "body" : issue.path.join(".");
  return {
    ok: false,
    reply: errorReply(
      400,
      "ERR_OFFHOOK_HTTP_BAD_REQUEST",
      // An issue may quote names out of the body.
      `${path}: ${issue?.message ?? "not as expected"}`.slice(0, MAX_MESSAGE_LENGTH),
    ),
  };
}
