// The rows of the list: a tree grid (WAI-ARIA) of which only what is in view is drawn.

import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../html.js";
import { agentName, compact, count, duration, personName, whole } from "../format.js";
import { change, go, href } from "../state/place.js";
import { Avatar } from "../ui/avatar.js";
import { Icon } from "../ui/icon.js";
import { Time } from "../ui/time.js";
import { useVirtualRows } from "../ui/virtual_rows.js";
import { News } from "./news.js";

/** @typedef {import("../api/contract.js").Conversation} Conversation */
/** @typedef {{ row: Conversation, depth: number, of: number, place: number }} Line */

/** Narrower than this, a row is a card, in pixels. */
const NARROW = 860;
const HEIGHT = { wide: 57, narrow: 105 };
const HEAD = { wide: 37, narrow: 0 };

const COLUMNS = /** @type {const} */ ([
  ["title", "Conversation", null], ["person", "Person", null], ["messages", "Messages", "totalMessageCount"], ["tokens", "Tokens", "totalTokens"],
  ["length", "Duration", "duration"], ["tools", "Tools", null], ["feedback", "Feedback", null],
]);
/** The last column is the time that the list is in the order of, or when each was updated. */
const CREATED = /** @type {const} */ (["time", "Created", "createdAt"]), UPDATED = /** @type {const} */ (["time", "Updated", "updatedAt"]);

/** @param {{ store: import("./list_store.js").ListStore, place: import("../state/place.js").Place }} props */
export function ConversationGrid({ store, place }) {
  const scroller = useRef(/** @type {HTMLElement | null} */ (null));
  const [narrow, setNarrow] = useState(false);
  const [active, setActive] = useState(store.active);
  store.active = active;
  const unfolded = [...store.unfolded].join(" ");
  const lines = useMemo(() => flatten(store.rows, store.unfolded), [store.rows, unfolded]);
  const keys = useMemo(() => lines.map((line) => line.row.id), [lines]);
  const size = narrow ? "narrow" : "wide";
  const rowHeight = HEIGHT[size];
  const columns = [...COLUMNS, place.sort === "createdAt" ? CREATED : UPDATED];

  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() => setNarrow(element.clientWidth < NARROW));
    setNarrow(element.clientWidth < NARROW);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const { first, last, reveal, perPage } = useVirtualRows({
    scroller, keys, rowHeight, headHeight: HEAD[size], initialTop: store.scrollTop,
    reading: () => scroller.current !== null && (scroller.current.matches(":hover") || scroller.current.contains(document.activeElement) || place.id !== undefined),
    onScroll: (top) => {
      store.scrollTop = top;
      if (top === 0) store.seen();
    },
  });

  useEffect(() => {
    if (last >= keys.length - 20 && !store.error) void store.more();
  }, [last, keys.length, store.loading]);

  const toTop = () => {
    void store.begin();
    if (scroller.current) scroller.current.scrollTop = 0;
  };
  const fold = (/** @type {string} */ id, /** @type {boolean} */ open) => {
    store.unfolded[open ? "add" : "delete"](id);
    store.tell();
  };
  const open = (/** @type {string} */ id) => go(change(place, { id }));

  const keysPressed = (/** @type {KeyboardEvent} */ event) => {
    if (event.target !== scroller.current || event.altKey || event.ctrlKey || event.metaKey) return;
    const index = active === null ? -1 : keys.indexOf(active);
    const line = lines[index];
    const move = (/** @type {number} */ to) => {
      const target = Math.max(0, Math.min(lines.length - 1, to));
      setActive(keys[target] ?? null);
      reveal(target);
    };
    /** @type {Record<string, () => void>} */
    const does = {
      ArrowDown: () => move(index + 1), ArrowUp: () => move(index - 1), PageDown: () => move(index + perPage), PageUp: () => move(index - perPage),
      Home: () => move(0), End: () => move(lines.length - 1),
      Enter: () => line && open(line.row.id),
      ArrowRight: () => line?.row.subConversations.length && (store.unfolded.has(line.row.id) ? move(index + 1) : fold(line.row.id, true)),
      ArrowLeft: () => {
        if (!line) return;
        if (line.row.subConversations.length && store.unfolded.has(line.row.id)) fold(line.row.id, false);
        else for (let above = index - 1; above >= 0; above -= 1) if (lines[above].depth < line.depth) return move(above);
      },
    };
    if (!does[event.key]) return;
    event.preventDefault();
    does[event.key]();
  };

  return html`<div class="grid-frame"><${News} store=${store} onShow=${toTop} />
  <div class=${`grid ${size}`} role="treegrid" aria-label="Conversations" aria-rowcount=${store.next === null ? lines.length + 1 : -1} aria-colcount=${columns.length} tabindex="0"
    aria-activedescendant=${active !== null && keys.slice(first, last).includes(active) ? rowId(active) : undefined} ref=${scroller} onKeyDown=${keysPressed}
    onFocus=${(/** @type {any} */ event) => event.target === scroller.current && active === null && setActive(keys[first] ?? null)}>
    <div role="rowgroup" class="grid-head"><div role="row" aria-rowindex="1" class="grid-row">
      ${columns.map(([name, label, sort]) => html`<div role="columnheader" class=${`cell ${name}`} aria-sort=${sort && (place.sort ?? "updatedAt") === sort ? "descending" : undefined}>
        ${sort ? html`<button type="button" class="head-sort" onClick=${() => go(change(place, { sort: sort === "updatedAt" ? undefined : sort }))}>${label}<${Icon} name="down" /></button>` : label}</div>`)}
    </div></div>
    <div role="rowgroup" class="grid-body" style=${{ height: `${lines.length * rowHeight}px` }}>
      ${lines.slice(first, last).map((line, index) => html`<${Row} key=${line.row.id} line=${line} at=${first + index} height=${rowHeight} place=${place} active=${line.row.id === active}
        open=${line.row.id === place.id} unfolded=${store.unfolded.has(line.row.id)} marked=${store.marked.has(line.row.id)} onFold=${fold}
        onOpen=${(/** @type {string} */ id) => { setActive(id); open(id); }} />`)}
    </div>
    <div class="grid-end" role="presentation">${ending(store)}</div>
  </div></div>`;
}

/** @param {import("./list_store.js").ListStore} store */
function ending(store) {
  if (store.error) return html`<span>More could not be loaded. <button type="button" class="quiet" onClick=${() => void store.more()}>Try again</button></span>`;
  return store.next === null ? html`<span>That is all.</span>` : html`<span>Loading more…</span>`;
}

/** @param {Conversation[]} rows @param {Set<string>} unfolded @param {number} [depth] @returns {Line[]} */
function flatten(rows, unfolded, depth = 0) {
  return rows.flatMap((row, index) => [
    { row, depth, of: rows.length, place: index + 1 },
    ...(row.subConversations.length && unfolded.has(row.id) ? flatten(row.subConversations, unfolded, depth + 1) : []),
  ]);
}

/** Ids of elements may not hold spaces. @param {string} id */
const rowId = (id) => `row-${encodeURIComponent(id)}`;

/** @param {Conversation} row @returns {number} */
const descendants = (row) => row.subConversations.reduce((sum, child) => sum + 1 + descendants(child), 0);

/**
 * @param {{ line: Line, at: number, height: number, place: import("../state/place.js").Place, active: boolean, open: boolean, unfolded: boolean, marked: boolean,
 *   onFold: (id: string, open: boolean) => void, onOpen: (id: string) => void }} props
 */
function Row({ line, at, height, place, active, open, unfolded, marked, onFold, onOpen }) {
  const { row, depth } = line, below = row.subConversations.length;
  const failed = row.toolCalls.filter((call) => call.error !== null).length;
  const clicked = (/** @type {MouseEvent} */ event) => {
    if (event.target instanceof Element && event.target.closest("button, a")) return;
    if (String(getSelection()) === "") onOpen(row.id);
  };
  const state = `${active ? " active" : ""}${open ? " open" : ""}${marked ? " marked" : ""}`;
  return html`<div role="row" id=${rowId(row.id)} class=${`grid-row body-row${state}`} style=${{ top: `${at * height}px`, "--depth": Math.min(depth, 6) }} aria-rowindex=${at + 2}
    aria-level=${depth + 1} aria-posinset=${line.place} aria-setsize=${line.of} aria-expanded=${below ? unfolded : undefined} aria-selected=${open} onClick=${clicked}>
    <div role="gridcell" class="cell title">
      ${below ? html`<button type="button" tabindex="-1" class=${unfolded ? "fold unfolded" : "fold"} aria-label=${`${unfolded ? "Fold" : "Unfold"} ${count(descendants(row), "sub-conversation")}`}
        onClick=${() => onFold(row.id, !unfolded)}><${Icon} name="chevron" /></button>` : html`<span class="fold"></span>`}
      <${Avatar} name=${agentName(row)} id=${row.agentId} shape="square" />
      <div class="title-text"><a tabindex="-1" href=${href(change(place, { id: row.id }))}>${row.firstMessageText ?? "No message yet"}</a>
        <span class="aside">${agentName(row)}${row.agentModel && html`<span class="model"> ${row.agentModel}</span>`}${below > 0 && html`<span class="below"><${Icon} name="tree" />${descendants(row)}</span>`}</span></div>
    </div>
    <div role="gridcell" class="cell person">${personName(row)}</div>
    <div role="gridcell" class="cell number messages">${whole(row.totalMessageCount)}<span class="unit"> messages</span></div>
    <div role="gridcell" class="cell number tokens" title=${whole(row.totalTokens)}>${compact(row.totalTokens)}<span class="unit"> tokens</span></div>
    <div role="gridcell" class="cell number length">${duration(row.duration)}</div>
    <div role="gridcell" class="cell tools">${row.toolCalls.length > 0 && html`<span class=${failed ? "badge bad" : "badge"}><${Icon} name=${failed ? "warning" : "tool"} />${row.toolCalls.length}
      <span class="unseen">${count(row.toolCalls.length, "tool call")}${failed ? `, ${failed} failed` : ""}</span>${failed > 0 && html`<span aria-hidden="true">· ${failed} failed</span>`}</span>`}</div>
    <div role="gridcell" class="cell feedback">
      ${row.totalHelpful > 0 && html`<span class="badge good"><${Icon} name="thumbUp" />${row.totalHelpful}<span class="unseen"> helpful</span></span>`}
      ${row.totalNotHelpful > 0 && html`<span class="badge bad"><${Icon} name="thumbDown" />${row.totalNotHelpful}<span class="unseen"> not helpful</span></span>`}</div>
    <div role="gridcell" class="cell time"><${Time} at=${place.sort === "createdAt" ? row.createdAt : row.updatedAt} /></div>
  </div>`;
}
