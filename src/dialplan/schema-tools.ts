import { z } from "zod";

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

/** The name of a header field, as a key of a map. */
export const headerKey = z.string().regex(/^[A-Za-z0-9-]{1,64}$/, {
  message: "not the name of a header field; expected letters, digits and -",
});

/** A map with its keys in lower case: names of header fields are compared without case. */
export function lowerKeys<T>(map: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key.toLowerCase(), value]));
}
