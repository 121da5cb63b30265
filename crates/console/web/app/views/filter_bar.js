// What is looked at: the range of time, whose conversations, and the conditions, each a chip that can be changed or removed.

import { html, useContext, useState } from "../html.js";
import { useNames } from "../api/names.js";
import { SessionContext } from "../session/context.js";
import { everyone, filterOf } from "../state/filter.js";
import { change, conditions, go, unfiltered } from "../state/place.js";
import { Choice } from "../ui/choice.js";
import { Icon } from "../ui/icon.js";
import { Popover } from "../ui/popover.js";
import { MetadataForm, Values } from "./filter_values.js";
import { RangePicker } from "./range_picker.js";

/** @typedef {import("../state/place.js").Place} Place */
/** @typedef {"agentId" | "model" | "toolName" | "userId" | "feedback" | "toolError" | "metadata"} Kind */

/** @type {Record<Kind, string>} */
const KINDS = { agentId: "Agent", model: "Model", toolName: "Tool", userId: "Person", feedback: "Feedback", toolError: "Tool errors", metadata: "User metadata" };

/** @type {Record<"feedback" | "toolError", { value: string, label: string }[]>} */
const FIXED = {
  feedback: [{ value: "any", label: "Any feedback" }, { value: "helpful", label: "Rated helpful" }, { value: "notHelpful", label: "Rated not helpful" }, { value: "none", label: "No feedback" }],
  toolError: [{ value: "true", label: "A tool failed" }, { value: "false", label: "No tool failed" }],
};

/** @param {{ place: Place, range: import("../state/range.js").Range }} props */
export function FilterBar({ place, range }) {
  const { session } = useContext(SessionContext);
  const { admin } = session.claims;
  const all = everyone(place, session.claims);
  const filter = filterOf(place, range, session.claims).toString();
  const given = conditions(place);
  const kinds = /** @type {Kind[]} */ ([...new Set(given.map((name) => (name.startsWith("metadata") ? "metadata" : name)))]);
  const scoped = (/** @type {boolean} */ wanted) => go(change(place, { scope: wanted === admin ? undefined : wanted ? "all" : "mine", ...(wanted ? {} : { userId: undefined }) }));

  return html`<div class="filter-bar" role="group" aria-label="Filters">
    <${RangePicker} place=${place} range=${range} />
    ${admin && html`<div class="segments" role="group" aria-label="Whose conversations">
      <button type="button" aria-pressed=${all} onClick=${() => scoped(true)}>Everyone</button><button type="button" aria-pressed=${!all} onClick=${() => scoped(false)}>Mine</button></div>`}
    ${kinds.map((kind) => html`<${Chip} key=${kind} kind=${kind} place=${place} filter=${filter} />`)}
    <${Popover} label="Add a filter" look="button dashed" button=${html`<${Icon} name="plus" />Filter`}>
      ${(/** @type {() => void} */ close) => html`<${Adding} place=${place} filter=${filter} admin=${all} close=${close} />`}
    <//>
    ${given.length > 0 && html`<button type="button" class="quiet" onClick=${() => go(unfiltered(place))}>Clear</button>`}
  </div>`;
}

/** @param {{ kind: Kind, place: Place, filter: string }} props */
function Chip({ kind, place, filter }) {
  const named = kind === "agentId" || kind === "userId" ? kind : null;
  const value = kind === "metadata" ? null : place[kind] ?? null;
  const name = useNames(named, [value], filter);
  const label = kind === "metadata" ? metadataText(place) : kind === "feedback" || kind === "toolError" ? FIXED[kind].find((option) => option.value === value)?.label ?? value : name(value);
  const cleared = kind === "metadata" ? { metadataKey: undefined, metadataValue: undefined } : { [kind]: undefined };
  return html`<span class="chip">
    <${Popover} label=${`Filter by ${KINDS[kind].toLowerCase()}`} look="chip-value" button=${html`<span class="chip-kind">${KINDS[kind]}</span><span class="chip-label">${label}</span>`}>
      ${(/** @type {() => void} */ close) => html`<${Editing} kind=${kind} place=${place} filter=${filter} close=${close} />`}
    <//>
    <button type="button" class="chip-remove" aria-label=${`Remove the filter ${KINDS[kind]}`} onClick=${() => go(change(place, cleared))}><${Icon} name="close" /></button>
  </span>`;
}

/** @param {Place} place */
function metadataText(place) {
  const value = place.metadataValue === "" ? "(empty)" : place.metadataValue;
  return [place.metadataKey, value].filter((part) => part !== undefined).join(" = ");
}

/** @param {{ place: Place, filter: string, admin: boolean, close: () => void }} props */
function Adding({ place, filter, admin, close }) {
  const [kind, setKind] = useState(/** @type {Kind | null} */ (null));
  const options = /** @type {Kind[]} */ (Object.keys(KINDS)).filter((one) => admin || one !== "userId").map((one) => ({ value: one, label: KINDS[one] }));
  if (kind) return html`<div key=${kind}><p class="panel-title">${KINDS[kind]}</p><${Editing} kind=${kind} place=${place} filter=${filter} close=${close} /></div>`;
  return html`<${Choice} label="Kind of filter" options=${options} chosen=${undefined} onChoose=${(/** @type {string} */ chosen) => setKind(/** @type {Kind} */ (chosen))} />`;
}

/** @param {{ kind: Kind, place: Place, filter: string, close: () => void }} props */
function Editing({ kind, place, filter, close }) {
  const choose = (/** @type {string} */ value) => {
    close();
    go(change(place, { [kind]: value }));
  };
  if (kind === "metadata") return html`<${MetadataForm} place=${place} close=${close} />`;
  if (kind === "feedback" || kind === "toolError") return html`<${Choice} label=${KINDS[kind]} options=${FIXED[kind]} chosen=${place[kind]} onChoose=${choose} />`;
  return html`<${Values} kind=${kind} label=${KINDS[kind]} filter=${filter} chosen=${place[kind]} onChoose=${choose} />`;
}
