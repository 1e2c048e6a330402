import { describeSetting } from "../dialplan/describe.ts";
import type { SettingChange } from "../dialplan/decision.ts";
import { settingSound } from "../media/sound/setting-sounds.ts";
import type { CallContext } from "./context.ts";
import type { ServiceChoice } from "./service-call.ts";
import { changedBy } from "./user-settings.ts";

/** Does what a star code wants, and chooses what the caller hears of it. */
export async function carryOutStarCode(
  change: SettingChange,
  context: CallContext,
): Promise<ServiceChoice> {
  const { user, setting, isOn, number, refused } = change;
  const isDone =
    refused === undefined && (await context.settings.change(user, (now) => changedBy(change, now)));
  context.logger.info("star code", {
    user,
    setting,
    isOn,
    isDone,
    what: describeSetting(change),
  });
  const sound = isDone
    ? settingSound({ setting, isOn, number }, context.country)
    : settingSound(undefined, context.country);
  return { kind: "play", sound };
}
