import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
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

/**
 * Puts the keyboard's place back when what had it is gone from the screen: to the heading of the
 * pane. What the user left by himself stays left.
 */
export function useKeptFocus(): RefObject<HTMLDivElement | null> {
  const frame = useRef<HTMLDivElement>(null);
  const hadFocus = useRef(false);
  useEffect(() => {
    const element = frame.current;
    if (element === null) return undefined;
    const entered = (): void => {
      hadFocus.current = true;
    };
    const left = (event: FocusEvent): void => {
      const target = event.target;
      if (event.relatedTarget !== null) return;
      queueMicrotask(() => {
        if (target instanceof HTMLElement && target.isConnected && !target.matches(":disabled")) {
          hadFocus.current = false;
        }
      });
    };
    element.addEventListener("focusin", entered);
    element.addEventListener("focusout", left);
    return () => {
      element.removeEventListener("focusin", entered);
      element.removeEventListener("focusout", left);
    };
  }, []);
  useLayoutEffect(() => {
    const element = frame.current;
    if (element === null || !hadFocus.current || !isFocusFree(element)) return;
    const home = element.querySelector<HTMLElement>(
      "dialog[open] h3[tabindex], .pane h1[tabindex], .pane input:enabled, .pane button:enabled",
    );
    home?.focus({ preventScroll: true });
  });
  return frame;
}
