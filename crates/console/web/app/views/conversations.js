// The list of conversations, with the one that is open beside it.

import { html, useContext, useEffect, useMemo, useState } from "../html.js";
import { useAnswer } from "../api/answer.js";
import { compact, count, whole } from "../format.js";
import { SessionContext } from "../session/context.js";
import { filterOf } from "../state/filter.js";
import { change, conditions, go, unfiltered } from "../state/place.js";
import { Failure, Notice } from "../ui/notice.js";
import { ConversationPane } from "./conversation.js";
import { Export } from "./export.js";
import { ConversationGrid } from "./grid.js";
import { listStore } from "./list_store.js";

/** @typedef {import("../state/place.js").Place} Place */

export const SORTS = /** @type {const} */ ([
  ["updatedAt", "Last updated"], ["createdAt", "Newest"], ["totalTokens", "Most tokens"], ["totalMessageCount", "Most messages"], ["duration", "Longest"],
]);

/** @param {{ place: Place, range: import("../state/range.js").Range }} props */
export function Conversations({ place, range }) {
  const { session, changes } = useContext(SessionContext);
  const filter = filterOf(place, range, session.claims).toString();
  const sort = SORTS.some(([name]) => name === place.sort) && place.sort !== "updatedAt" ? place.sort : undefined;
  // The list stays the same while time passes; only another question makes another one.
  const key = JSON.stringify(change(place, { view: undefined, id: undefined, split: undefined, interval: undefined, sort }));
  const store = useMemo(() => listStore(session, key), [session, key]);
  store.filter = sort ? `${filter}&sort=${sort}` : filter;
  useStore(store);
  useEffect(() => {
    if (!store.loaded && !store.loading) void store.begin();
    const follow = changes.subscribe(() => void store.follow());
    if (store.loaded) void store.follow();
    return follow;
  }, [store, changes]);

  const stats = /** @type {import("../api/answer.js").Answer<import("../api/contract.js").Stats>} */ (useAnswer("getStats", filter));
  const open = place.id ?? null;
  const close = () => go(change(place, { id: undefined }));

  return html`<div class=${open ? "conversations split" : "conversations"}>
    <section class="list" aria-label="Conversations">
      <div class="list-tools">
        <p class="list-count" role="status">${stats.data ? html`<strong>${whole(stats.data.conversationCount)}</strong> ${stats.data.conversationCount === 1 ? "conversation" : "conversations"}
          <span class="aside">${compact(stats.data.totalTokens)} tokens, ${count(stats.data.uniqueUsers, "person", "people")}</span>` : !stats.error && html`<span class="aside">Counting…</span>`}</p>
        <label class="sort"><span class="unseen">Order</span>
          <select class="select" value=${sort ?? "updatedAt"} onChange=${(/** @type {any} */ event) => go(change(place, { sort: event.target.value === "updatedAt" ? undefined : event.target.value }))}>
            ${SORTS.map(([name, label]) => html`<option value=${name}>${label}</option>`)}
          </select></label>
        <${Export} query=${store.filter} total=${stats.data?.conversationCount ?? null} />
      </div>
      ${contents(store, place)}
    </section>
    ${open && html`<${ConversationPane} key=${open} id=${open} place=${place} onClose=${close} />`}
  </div>`;
}

/** @param {import("./list_store.js").ListStore} store @param {Place} place */
function contents(store, place) {
  if (store.rows.length > 0) return html`<${ConversationGrid} key=${store.key} store=${store} place=${place} />`;
  if (store.error) return html`<${Failure} error=${store.error} again=${() => void store.begin()} />`;
  if (!store.loaded) return html`<${Waiting} />`;
  const filtered = conditions(place).length > 0;
  return html`<${Notice} icon=${filtered ? "filter" : "conversations"} title=${filtered ? "No conversation matches" : "No conversations yet"}
    actions=${filtered
      ? html`<button type="button" class="button primary" onClick=${() => go(unfiltered(place))}>Remove the filters</button>`
      : html`<button type="button" class="button" onClick=${() => go(change(place, { range: "365d", from: undefined, to: undefined }))}>Look at the last 12 months</button>`}>
    ${filtered ? "Nothing in this range fits all of the filters." : "Nothing happened in this range. New conversations show here by themselves."}<//>`;
}

function Waiting() {
  return html`<div class="waiting" role="status"><span class="unseen">Loading conversations</span>
    ${Array.from({ length: 9 }, (_, index) => html`<div class="waiting-row" key=${index}><i></i><i></i><i></i></div>`)}</div>`;
}

/** Draws again whenever the list changes. @param {import("./list_store.js").ListStore} store */
export function useStore(store) {
  const [, setVersion] = useState(0);
  useEffect(() => store.subscribe(() => setVersion((version) => version + 1)), [store]);
}
