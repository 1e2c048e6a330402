/** Long lists are drawn a part at a time: the first rows, and as many more with each click. */
import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { t } from "../i18n/text.ts";

const ROWS = 50;

/** The part of a list that is drawn. */
export interface Bounded<Item> {
  readonly shown: readonly Item[];
  /** How many more there are. */
  readonly left: number;
  readonly list: RefObject<HTMLUListElement | null>;
  /** Draws more, and takes the keyboard to the first of them. */
  readonly more: () => void;
}

/** @param key of what is listed: another one begins with the first rows again */
export function useBounded<Item>(items: readonly Item[], key: string): Bounded<Item> {
  const [drawn, setDrawn] = useState({ key, rows: ROWS });
  const list = useRef<HTMLUListElement>(null);
  const next = useRef<number | undefined>(undefined);
  const rows = drawn.key === key ? drawn.rows : ROWS;
  useEffect(() => {
    if (next.current === undefined) return;
    list.current?.children[next.current]?.querySelector("button")?.focus();
    next.current = undefined;
  }, [drawn]);
  return {
    shown: items.slice(0, rows),
    left: Math.max(0, items.length - rows),
    list,
    more: () => {
      next.current = rows;
      setDrawn({ key, rows: rows + ROWS });
    },
  };
}

/** Nothing where all is drawn. */
export function MoreButton(props: { readonly bounded: Bounded<unknown> }) {
  const { left, more } = props.bounded;
  return left === 0 ? null : (
    <button type="button" class="button button--small" data-testid="more" onClick={more}>
      {t("list.more", { count: left })}
    </button>
  );
}
