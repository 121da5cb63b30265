// What a figure comes from: the largest values of a kind as bars. A click on one filters by it, another click no longer.

import { html, useMemo, useState } from "../html.js";
import { useAnswer } from "../api/answer.js";
import { useNames } from "../api/names.js";
import { compact, duration, percent, whole } from "../format.js";
import { change, go } from "../state/place.js";
import { Failure } from "../ui/notice.js";

/** @typedef {import("../api/contract.js").Share} Share */
/** @typedef {"agentId" | "agentModel" | "userId" | "toolName"} By */

/** Shown at first, and when all are asked for. */
const FEW = 6;
const MANY = 20;

/** The parameter that filters by a value of the breakdown. @type {Record<By, "agentId" | "model" | "userId" | "toolName">} */
export const CONDITION_OF = { agentId: "agentId", agentModel: "model", userId: "userId", toolName: "toolName" };

/** @type {Record<string, { label: string, value: (share: Share) => number | null, text: (value: number | null) => string }>} */
const MEASURES = {
  conversationCount: { label: "Conversations", value: (share) => share.conversationCount, text: (value) => whole(value ?? 0) },
  totalTokens: { label: "Tokens", value: (share) => share.totalTokens, text: (value) => compact(value ?? 0) },
  toolCalls: { label: "Tool calls", value: (share) => share.toolCalls, text: (value) => whole(value ?? 0) },
  helpful: { label: "Helpful share", value: (share) => (share.totalFeedback ? share.totalHelpful / share.totalFeedback : null), text: percent },
  durationP50: { label: "Median duration", value: (share) => share.durationP50, text: duration },
};

/** @param {{ by: By, title: string, place: import("../state/place.js").Place, filter: string }} props */
export function Breakdown({ by, title, place, filter }) {
  const [measure, setMeasure] = useState("conversationCount");
  const [all, setAll] = useState(false);
  const query = new URLSearchParams([...new URLSearchParams(filter), ["by", by], ["top", String(MANY)]]);
  const { data, error, again, loading } = /** @type {import("../api/answer.js").Answer<Share[]>} */ (useAnswer("getBreakdown", query.toString()));
  const { value: valueOf, text } = MEASURES[measure];
  const ordered = useMemo(() => (data ? [...data].sort((a, b) => Number(a.other ?? false) - Number(b.other ?? false) || (valueOf(b) ?? -1) - (valueOf(a) ?? -1)) : []), [data, measure]);
  const shown = all ? ordered : ordered.slice(0, FEW);
  const listed = ordered.filter((share) => !share.other);
  // What is left over may be more than any other: its bar is full, and the others are not dwarfed.
  const most = Math.max(1e-9, ...listed.map((share) => valueOf(share) ?? 0));
  const name = useNames(by === "agentId" || by === "userId" ? by : null, shown.map((share) => share.value), filter);
  const condition = CONDITION_OF[by], chosen = place[condition];

  return html`<section class=${loading && data ? "card reloading" : "card"} aria-label=${title}>
    <header class="card-head"><h2>${title}</h2><label><span class="unseen">Figure for ${title}</span><select class="select small" value=${measure} onChange=${(/** @type {any} */ event) => setMeasure(event.target.value)}>
      ${Object.entries(MEASURES).map(([key, { label }]) => html`<option value=${key}>${label}</option>`)}</select></label></header>
    ${error && !data ? html`<${Failure} error=${error} again=${again} />` : html`<ul class="bars">
      ${shown.map((share) => {
        const value = valueOf(share), label = share.other ? "All others" : name(share.value) ?? "None";
        const contents = html`<span class="bar-label" title=${label}>${label}</span><span class="bar-value">${text(value)}</span><span class="bar" aria-hidden="true"><i style=${{ width: `${Math.min((value ?? 0) / most, 1) * 100}%` }}></i></span>`;
        const key = `${share.value} ${share.other ?? false}`;
        if (share.value === null) return html`<li key=${key} class="bar-row"><span class="bar-plain">${contents}</span></li>`;
        const on = chosen === String(share.value);
        return html`<li key=${key} class="bar-row"><button type="button" class="bar-button" aria-pressed=${on} onClick=${() => go(change(place, { [condition]: on ? undefined : String(share.value) }))}>${contents}</button></li>`;
      })}
      ${data === null && Array.from({ length: 4 }, (_, index) => html`<li class="bar-row" key=${index}><i class="blank"></i></li>`)}
      ${data !== null && data.length === 0 && html`<li class="hint">None in this range.</li>`}
    </ul>${ordered.length > FEW && html`<button type="button" class="quiet more" onClick=${() => setAll(!all)}>${all ? "Fewer" : listed.length === MANY ? `The ${MANY} largest` : `All ${listed.length}`}</button>`}`}
  </section>`;
}
