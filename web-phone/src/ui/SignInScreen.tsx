import { useState } from "preact/hooks";
import { t } from "../i18n/text.ts";
import type { SignIn } from "../state.ts";
import type { PhoneActions } from "./actions.ts";
import { useFocusWhenLost } from "./focus.ts";
import { Icon } from "./Icon.tsx";
import { signInProblemTextOf } from "./wording.ts";

/** User and password; the password leaves the page once and is kept nowhere. */
export function SignInScreen(props: {
  readonly signIn: SignIn;
  readonly actions: Pick<PhoneActions, "signIn">;
  readonly presetUser: string;
}) {
  const [user, setUser] = useState(props.presetUser);
  const [password, setPassword] = useState("");
  const userField = useFocusWhenLost<HTMLInputElement>();
  const isBusy = props.signIn.kind === "signing-in";
  const problem = props.signIn.kind === "signed-out" ? props.signIn.problem : undefined;
  return (
    <form
      class="screen sign-in"
      onSubmit={(event) => {
        event.preventDefault();
        void props.actions.signIn(user.trim(), password);
      }}
    >
      <div class="sign-in__brand">
        <span class="mark">
          <Icon name="phone" />
        </span>
        <span class="sign-in__name">{t("app.name")}</span>
      </div>
      <h1>{t("sign-in.heading")}</h1>
      {problem === undefined ? null : (
        <p class="notice notice--problem" role="alert" data-testid="sign-in-error">
          <Icon name="warning" />
          <span>{signInProblemTextOf(problem)}</span>
        </p>
      )}
      <label class="field">
        <span>{t("sign-in.user")}</span>
        <input
          ref={userField}
          data-testid="sign-in-user"
          name="username"
          autocomplete="username"
          autocapitalize="none"
          spellcheck={false}
          required
          value={user}
          onInput={(event) => setUser(event.currentTarget.value)}
        />
      </label>
      <label class="field">
        <span>{t("sign-in.password")}</span>
        <input
          data-testid="sign-in-password"
          type="password"
          name="password"
          autocomplete="current-password"
          required
          value={password}
          onInput={(event) => setPassword(event.currentTarget.value)}
        />
      </label>
      <button
        class="button button--primary"
        type="submit"
        data-testid="sign-in-submit"
        disabled={isBusy}
      >
        {isBusy ? t("sign-in.busy") : t("sign-in.submit")}
      </button>
      <p class="hint">{t("sign-in.hint")}</p>
    </form>
  );
}
