import { createHmac } from "node:crypto";
import type { Logger } from "../core/logger.ts";
import type { HookSource } from "../dialplan/source.ts";

/** What a hook is told of a call. */
export interface HookQuestion {
  readonly call: string;
  readonly from: { readonly kind: "user" | "trunk"; readonly id: string; readonly number: string };
  readonly to: string;
  readonly route: string | undefined;
}

/** An answer is one action; this is room for the largest that makes sense. */
const MAX_ANSWER_OCTETS = 65_536;

/**
 * Asks a program over HTTP what to do with a call. The question is signed, the wait is bounded, a
 * redirect is not followed: whoever answers is who the configuration names.
 *
 * @returns what stands under `do` of the answer; undefined when there is none in time
 */
export async function askHook(
  name: string,
  hook: HookSource,
  question: HookQuestion,
  nowMs: number,
  logger: Logger,
): Promise<unknown> {
  const body = JSON.stringify({ ...question, hook: name });
  const seconds = Math.floor(nowMs / 1000);
  const signature = createHmac("sha256", hook.secret).update(`${seconds}.${body}`).digest("hex");
  try {
    const response = await fetch(hook.url, {
      method: "POST",
      redirect: "error",
      signal: AbortSignal.timeout(hook.timeoutMs),
      headers: {
        "Content-Type": "application/json",
        "X-Offhook-Signature": `t=${seconds},v1=${signature}`,
      },
      body,
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      logger.warn("a hook did not answer well", { hook: name, status: response.status });
      return undefined;
    }
    const answer: unknown = JSON.parse(await limitedText(response));
    if (typeof answer !== "object" || answer === null || !("do" in answer)) {
      logger.warn("a hook answered without an action", { hook: name });
      return undefined;
    }
    return answer.do;
  } catch (error) {
    logger.warn("a hook could not be asked", {
      hook: name,
      reason: error instanceof Error ? error.message : String(error),
    });
    return undefined;
  }
}

async function limitedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const body: AsyncIterable<Uint8Array> | undefined = response.body ?? undefined;
  if (body === undefined) return "";
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_ANSWER_OCTETS) throw new Error(`longer than ${MAX_ANSWER_OCTETS} octets`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
