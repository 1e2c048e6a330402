import type { Path, Surroundings } from "./condition.ts";

/** A text of the file in which `$0` to `$9` stand for the groups of the route's expression. */

/** The highest group that the text asks for; -1 when it asks for none. */
export function highestGroup(template: string): number {
  let highest = -1;
  for (const match of template.matchAll(/\$([0-9])/g))
    highest = Math.max(highest, Number(match[1]));
  return highest;
}

/** Puts the groups in; a group that did not take part is empty. */
export function expandTemplate(template: string, groups: readonly string[]): string {
  return template.replace(/\$([0-9])/g, (_, digit: string) => groups[Number(digit)] ?? "");
}

/** Notes a problem when the text asks for a group that the route does not offer. */
export function checkTemplate(
  template: string,
  path: Path,
  groupCount: number,
  around: Pick<Surroundings, "problem">,
): void {
  const highest = highestGroup(template);
  if (highest <= groupCount) return;
  around.problem(
    path,
    groupCount < 0
      ? `"$${highest}" has nothing to stand for; expected every "to" of the route to be a /regex/ with groups`
      : `"$${highest}" has nothing to stand for; the regular expression of "to" has ${groupCount} groups`,
  );
}
