// Which rows of a long list are drawn, and how the view stays where it is when rows come or go above it. All rows are equally high.

import { useEffect, useLayoutEffect, useRef, useState } from "../../vendor/hooks.js";

/** Rows drawn beyond both edges. */
const BEYOND = 8;

/**
 * @param {object} options
 * @param {{ current: HTMLElement | null }} options.scroller
 * @param {string[]} options.keys One for each row.
 * @param {number} options.rowHeight
 * @param {number} options.headHeight What stands still above the rows.
 * @param {number} options.initialTop
 * @param {() => boolean} options.reading Whether somebody reads, so that not even the first rows may move.
 * @param {(top: number) => void} options.onScroll
 */
export function useVirtualRows({ scroller, keys, rowHeight, headHeight, initialTop, reading, onScroll }) {
  const [view, setView] = useState({ top: initialTop, height: 800 });
  const anchor = useRef(/** @type {{ keys: string[], height: number }} */ ({ keys, height: rowHeight }));

  const measure = () => {
    const element = scroller.current;
    if (!element) return;
    onScroll(element.scrollTop);
    setView((before) => (before.top === element.scrollTop && before.height === element.clientHeight ? before : { top: element.scrollTop, height: element.clientHeight }));
  };

  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return undefined;
    element.scrollTop = initialTop;
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  useLayoutEffect(() => {
    const element = scroller.current, before = anchor.current;
    anchor.current = { keys, height: rowHeight };
    if (!element || (before.keys === keys && before.height === rowHeight) || before.keys.length === 0) return;
    const top = element.scrollTop;
    if (top === 0 && !reading()) return;
    const first = Math.floor(top / before.height);
    const inside = top - first * before.height;
    // The first row in view that is still there stays where it is.
    const still = before.keys.slice(first, first + 60).findIndex((key) => keys.includes(key));
    if (still < 0) return;
    const place = keys.indexOf(before.keys[first + still]);
    const target = (place - still) * rowHeight + Math.min(inside, rowHeight);
    if (target !== top) element.scrollTop = target;
    measure();
  }, [keys, rowHeight]);

  useEffect(() => {
    const element = scroller.current;
    element?.addEventListener("scroll", measure, { passive: true });
    return () => element?.removeEventListener("scroll", measure);
  }, []);

  const first = Math.max(0, Math.floor(view.top / rowHeight) - BEYOND);
  const last = Math.min(keys.length, Math.ceil((view.top + view.height) / rowHeight) + BEYOND);

  /** @param {number} index */
  const reveal = (index) => {
    const element = scroller.current;
    if (!element) return;
    const top = index * rowHeight, room = element.clientHeight - headHeight;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + rowHeight > element.scrollTop + room) element.scrollTop = top + rowHeight - room;
    measure();
  };

  return { first, last, reveal, perPage: Math.max(1, Math.floor((view.height - headHeight) / rowHeight) - 1) };
}
