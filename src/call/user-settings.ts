import type { SettingChange } from "../dialplan/decision.ts";
import { kindOf } from "../dialplan/star-codes.ts";
import { withForward, type UserSettings } from "../dialplan/user-settings.ts";

/** Where users' settings are kept. */
export interface UserSettingsStore {
  /** @returns undefined when the user has set nothing */
  of(userId: string): UserSettings | undefined;
  /**
   * Changes what a user has set. It counts at once; the promise is done when a restart would find
   * it.
   *
   * @returns false when it could not be kept
   */
  change(userId: string, change: (now: UserSettings) => UserSettings): Promise<boolean>;
}

/** The settings after what a star code wants. */
export function changedBy(change: SettingChange, now: UserSettings): UserSettings {
  const { setting, isOn, number } = change;
  if (setting === "do-not-disturb") return { ...now, doNotDisturb: isOn };
  return withForward(now, kindOf(setting), { number, isOn });
}
