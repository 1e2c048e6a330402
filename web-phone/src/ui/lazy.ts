import { type ComponentChild, type FunctionComponent, h } from "preact";
import { useEffect, useState } from "preact/hooks";

/** A component in a file of its own, which is loaded when it is drawn for the first time. */
export interface LazyComponent<Props> {
  (props: Props): ComponentChild;
  /** Loads it before, for whoever wants no moment without it. */
  preload(): Promise<void>;
}

/** The wait before a file that did not come is asked for again. */
const RETRY_MS = 2_000;

/** @param load gives the component; asked again after it has failed, while it is to be drawn */
export function lazy<Props extends object>(
  load: () => Promise<FunctionComponent<Props>>,
): LazyComponent<Props> {
  let loaded: FunctionComponent<Props> | undefined;
  const preload = async (): Promise<void> => {
    loaded ??= await load();
  };
  function Lazy(props: Props): ComponentChild {
    const [, draw] = useState(false);
    useEffect(() => {
      if (loaded !== undefined) return undefined;
      let timer: ReturnType<typeof setTimeout> | undefined;
      let isGone = false;
      const attempt = (): void => {
        preload().then(
          () => {
            if (!isGone) draw(true);
          },
          () => {
            if (!isGone) timer = setTimeout(attempt, RETRY_MS);
          },
        );
      };
      attempt();
      return () => {
        isGone = true;
        clearTimeout(timer);
      };
    }, []);
    return loaded === undefined ? null : h(loaded, props);
  }
  return Object.assign(Lazy, { preload });
}
