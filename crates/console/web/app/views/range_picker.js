// The range of time, which time it is on, and how wide a chart's buckets are.

import { html, useState } from "../html.js";
import { change, go } from "../state/place.js";
import { DEFAULT_RANGE, RANGES, TIME_ZONE } from "../state/range.js";
import { Icon } from "../ui/icon.js";
import { Popover } from "../ui/popover.js";

/** @typedef {import("../state/place.js").Place} Place */

/** @param {{ place: Place, range: import("../state/range.js").Range }} props */
export function RangePicker({ place, range }) {
  const button = html`<${Icon} name="calendar" />${range.label}${place.rangeOn === "updatedAt" && html`<span class="aside">updated</span>`}`;
  return html`<${Popover} label="Range of time" button=${button}>
    ${(/** @type {() => void} */ close) => html`<${Panel} place=${place} range=${range} close=${close} />`}
  <//>`;
}

/** @param {{ place: Place, range: import("../state/range.js").Range, close: () => void }} props */
function Panel({ place, range, close }) {
  const [from, setFrom] = useState(local(range.from)), [to, setTo] = useState(local(range.to));
  const wrong = !from || !to || from > to;
  const choose = (/** @type {Place} */ next) => {
    close();
    go(next);
  };
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    // The minute that is named belongs to the range.
    if (!wrong) choose(change(place, { range: undefined, interval: undefined, from: new Date(from).toISOString(), to: new Date(new Date(to).getTime() + 59_999).toISOString() }));
  };
  return html`<ul class="menu">${RANGES.map(({ name, label }) => html`<li key=${name}><button type="button" class="menu-item" aria-pressed=${range.name === name}
      onClick=${() => choose(change(place, { range: name === DEFAULT_RANGE ? undefined : name, from: undefined, to: undefined, interval: undefined }))}>${label}${range.name === name && html`<${Icon} name="check" />`}</button></li>`)}</ul>
    <form class="form ruled" onSubmit=${submit}>
      <label>From<input class="field" type="datetime-local" value=${from} onInput=${(/** @type {any} */ event) => setFrom(event.target.value)} /></label>
      <label>To<input class="field" type="datetime-local" value=${to} min=${from} onInput=${(/** @type {any} */ event) => setTo(event.target.value)} /></label>
      <button type="submit" class="button" disabled=${wrong}>Apply</button>
    </form>
    <div class="form ruled">
      <label>Conversations that were<select class="select" value=${place.rangeOn ?? "createdAt"}
        onChange=${(/** @type {any} */ event) => go(change(place, { rangeOn: event.target.value === "updatedAt" ? "updatedAt" : undefined }))}>
        <option value="createdAt">created in the range</option><option value="updatedAt">updated in the range</option></select></label>
      ${place.view !== "conversations" && html`<label>Charts by<select class="select" value=${range.interval} onChange=${(/** @type {any} */ event) => go(change(place, { interval: event.target.value }))}>
        ${range.intervals.map((interval) => html`<option value=${interval}>${interval}</option>`)}</select></label>`}
      <p class="hint">Times are in ${TIME_ZONE}; pointing at one shows it in UTC.</p>
    </div>`;
}

/** As the field has it: local time without a zone. @param {Date} date */
function local(date) {
  const moved = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return moved.toISOString().slice(0, 16);
}
