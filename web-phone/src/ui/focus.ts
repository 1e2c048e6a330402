import { useEffect, useRef } from "preact/hooks";
import type { RefObject } from "preact";

/**
 * Keeps the keyboard's place: when a new screen has swallowed the element that had the focus, the
 * focus goes to this element of the new screen instead of nowhere. It is taken from nobody else.
 */
export function useFocusWhenLost<Target extends HTMLElement>(): RefObject<Target | null> {
  const target = useRef<Target>(null);
  useEffect(() => {
    const active = document.activeElement;
    if (active === null || active === document.body) target.current?.focus({ preventScroll: true });
  }, []);
  return target;
}
