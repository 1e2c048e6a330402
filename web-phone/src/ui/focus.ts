import { useEffect, useRef } from "preact/hooks";
import type { RefObject } from "preact";

/** Whether nothing on the page has the focus; in a page around the phone nothing else must have. */
export function isFocusFree(node: Node): boolean {
  const active = document.activeElement;
  const tree = node.getRootNode();
  if (tree instanceof ShadowRoot && active === tree.host) return tree.activeElement === null;
  return active === null || active === document.body;
}

/**
 * Keeps the keyboard's place: when a new screen has swallowed the element that had the focus, the
 * focus goes to this element of the new screen instead of nowhere. It is taken from nobody else.
 */
export function useFocusWhenLost<Target extends HTMLElement>(): RefObject<Target | null> {
  const target = useRef<Target>(null);
  useEffect(() => {
    const element = target.current;
    if (element !== null && isFocusFree(element)) element.focus({ preventScroll: true });
  }, []);
  return target;
}
