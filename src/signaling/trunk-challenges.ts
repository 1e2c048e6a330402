import { ChallengeAnswer } from "./auth/challenge-answer.ts";
import type { EngineTrunk } from "./embedded-engine.ts";
import type { TrunkTableOptions } from "./trunk/trunk-table.ts";

/** One answerer for each pair of credentials: the realm that one learns is that of the trunk. */
export function withChallenges({
  auth,
  register,
  ...trunk
}: EngineTrunk): TrunkTableOptions["trunks"][number] {
  if (register === undefined) {
    const own = auth === undefined ? undefined : new ChallengeAnswer(auth, trunk.id);
    return { ...trunk, challenges: own };
  }
  const { username, password, expiresSeconds } = register;
  const own = new ChallengeAnswer({ username, password }, trunk.id);
  const isSame = auth === undefined || (auth.username === username && auth.password === password);
  return {
    ...trunk,
    challenges: isSame ? own : new ChallengeAnswer(auth, trunk.id),
    register: { username, expiresSeconds, challenges: own },
  };
}
