import type { CallContext } from "./call-context.ts";
import type { CodecPolicyName } from "./source.ts";

/** What the configuration says of codecs beside the routes. */
export interface PlanCodecs {
  /** `media.codecs` */
  readonly usual: CodecPolicyName;
  /** Of a trunk that says something itself. */
  readonly ofTrunk: (trunkId: string) => CodecPolicyName | undefined;
}

/**
 * Notes how codecs are chosen, and who says so: the route, else the trunk that is called, else the
 * one that the call came from, else `media.codecs`. Trunks that agree are told once.
 */
export function noteCodecs(
  ofRoute: CodecPolicyName | undefined,
  trunkIds: readonly string[],
  context: CallContext,
  codecs: PlanCodecs,
): void {
  if (context.details === undefined) return;
  if (ofRoute !== undefined) {
    context.note({ kind: "codecs", policy: ofRoute, by: "route" });
    return;
  }
  const { from } = context.query;
  const ofCaller = from.kind === "trunk" ? codecs.ofTrunk(from.id) : undefined;
  const choices = (trunkIds.length === 0 ? [undefined] : trunkIds).map((id) => {
    const policy = (id === undefined ? undefined : codecs.ofTrunk(id)) ?? ofCaller;
    return { id, policy: policy ?? codecs.usual, by: policy === undefined ? "default" : "trunk" };
  });
  const [first] = choices;
  const isOne = choices.every(({ policy, by }) => policy === first?.policy && by === first.by);
  for (const { id, policy, by } of isOne ? choices.slice(0, 1) : choices) {
    context.note({
      kind: "codecs",
      policy,
      by: by === "trunk" ? "trunk" : "default",
      ...(!isOne && id !== undefined && { trunk: id }),
    });
  }
}
