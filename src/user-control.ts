import { join } from "node:path";
import type { Config } from "./config/config.ts";
import type { Logger } from "./core/logger.ts";
import type { Dialplan } from "./dialplan/compile.ts";
import type { UserControl, UserView } from "./http/ports.ts";
import { UserSettingsFile } from "./storage/user-settings-file.ts";

/** Where users' settings are kept in the data directory. */
export function keepUserSettings(dataDirectory: string, logger: Logger): UserSettingsFile {
  return new UserSettingsFile(join(dataDirectory, "user-settings.json"), (err) => {
    logger.error("what users have set is not kept", { err });
  });
}

/** The users of the configuration in force, for the API. */
export function userControl(
  settings: UserSettingsFile,
  current: () => { readonly config: Config; readonly dialplan: Dialplan },
): UserControl {
  const find = (id: string): UserView | undefined => {
    const user = current().config.users.get(id);
    return user && { id, name: user.name, settings: settings.of(id) };
  };
  return {
    *all() {
      for (const id of current().config.users.keys()) {
        const user = find(id);
        if (user !== undefined) yield user;
      }
    },
    find,
    settable: () => current().dialplan.userSettable,
    mayForward: (id, number) => current().dialplan.mayForward(id, number, new Date()),
    change: (id, change) => settings.change(id, change),
  };
}
