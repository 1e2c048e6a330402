import { type ComponentChild, type FunctionComponent, h } from "preact";
import { useEffect, useState } from "preact/hooks";

/** A component in a file of its own, which is loaded when it is drawn for the first time. */
export interface LazyComponent<Props> {
  (props: Props): ComponentChild;
  /** Loads it before, for whoever wants no moment without it. */
  preload(): Promise<void>;
}

/** @param load gives the component; asked again after it has failed */
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
      // Without a network it stays away, and comes with the next try.
      if (loaded === undefined)
        preload().then(
          () => draw(true),
          () => undefined,
        );
    }, []);
    return loaded === undefined ? null : h(loaded, props);
  }
  return Object.assign(Lazy, { preload });
}
