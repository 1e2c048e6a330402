import { t } from "../i18n/text.ts";
import { Icon } from "./Icon.tsx";

/** A cross that closes what it stands in. */
export function CloseButton(props: { readonly onClick: () => void }) {
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={t("settings.close")}
      title={t("settings.close")}
      onClick={props.onClick}
    >
      <Icon name="close" />
    </button>
  );
}
