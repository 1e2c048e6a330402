import type { z } from "zod";

/** Takes the keys away whose value is undefined, so that absent means absent. */
export function compact<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  // Only own enumerable keys with a value stay, so the narrower type holds.
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

/** Adds the problem that a value has beside its shape. */
export function addProblem(
  context: z.core.ParsePayload,
  path: readonly (string | number)[],
  message: string,
  expected: string,
): void {
  context.issues.push({
    code: "custom",
    input: context.value,
    path: [...path],
    message,
    params: { expected },
  });
}
