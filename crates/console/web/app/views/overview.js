// The overview: figures beside those of the range before, their course over time, and who and what they come from.

import { html, useContext } from "../html.js";
import { useAnswer } from "../api/answer.js";
import { SessionContext } from "../session/context.js";
import { filterOf } from "../state/filter.js";
import { change, conditions, go, unfiltered } from "../state/place.js";
import { TIME_ZONE } from "../state/range.js";
import { Failure, Notice } from "../ui/notice.js";
import { Breakdown } from "./breakdown.js";
import { Charts } from "./charts.js";
import { FigureTiles } from "./figures.js";

/** @typedef {import("../api/contract.js").Stats} Stats */
/** @typedef {import("../api/contract.js").Bucket} Bucket */
/** @template T @typedef {import("../api/answer.js").Answer<T>} Answer */

/** @param {{ place: import("../state/place.js").Place, range: import("../state/range.js").Range }} props */
export function Overview({ place, range }) {
  const { session } = useContext(SessionContext);
  const filter = filterOf(place, range, session.claims);
  const before = filterOf(place, range.before, session.claims);
  const failed = new URLSearchParams(filter);
  failed.set("toolError", "true");
  const failedBefore = new URLSearchParams(before);
  failedBefore.set("toolError", "true");
  const series = new URLSearchParams([...filter, ["interval", range.interval], ["timeZone", TIME_ZONE]]);
  const failedSeries = new URLSearchParams(series);
  failedSeries.set("toolError", "true");
  // What the filter excludes already cannot have failed.
  const contradicts = place.toolError === "false";

  const now = /** @type {Answer<Stats>} */ (useAnswer("getStats", filter.toString()));
  const then = /** @type {Answer<Stats>} */ (useAnswer("getStats", before.toString()));
  const failing = /** @type {Answer<Stats>} */ (useAnswer(contradicts ? null : "getStats", failed.toString()));
  const failingBefore = /** @type {Answer<Stats>} */ (useAnswer(contradicts ? null : "getStats", failedBefore.toString()));
  const course = /** @type {Answer<Bucket[]>} */ (useAnswer("getTimeSeries", series.toString()));
  const failingCourse = /** @type {Answer<Bucket[]>} */ (useAnswer(contradicts ? null : "getTimeSeries", failedSeries.toString()));

  if (now.error && !now.data) return html`<${Failure} error=${now.error} again=${now.again} />`;
  if (now.data?.conversationCount === 0) return html`<${Nothing} place=${place} />`;
  return html`<div class="overview">
    <${FigureTiles} place=${place} range=${range} now=${now.data} before=${then.data} failing=${contradicts ? zero(now.data) : failing.data}
      failingBefore=${contradicts ? zero(then.data) : failingBefore.data} course=${course.data} failingCourse=${contradicts ? null : failingCourse.data} />
    <${Charts} place=${place} range=${range} filter=${filter.toString()} course=${course} />
    <div class="breakdowns">
      <${Breakdown} by="agentId" title="Agents" place=${place} filter=${filter.toString()} />
      <${Breakdown} by="agentModel" title="Models" place=${place} filter=${filter.toString()} />
      <${Breakdown} by="toolName" title="Tools" place=${place} filter=${filter.toString()} />
      <${Breakdown} by="userId" title="People" place=${place} filter=${filter.toString()} />
    </div>
  </div>`;
}

/** @param {Stats | null} stats */
const zero = (stats) => stats && { ...stats, conversationCount: 0 };

/** @param {{ place: import("../state/place.js").Place }} props */
function Nothing({ place }) {
  const filtered = conditions(place).length > 0;
  const actions = filtered
    ? html`<button type="button" class="button primary" onClick=${() => go(unfiltered(place))}>Remove the filters</button>`
    : html`<button type="button" class="button" onClick=${() => go(change(place, { range: "365d", from: undefined, to: undefined }))}>Look at the last 12 months</button>`;
  return html`<${Notice} icon=${filtered ? "filter" : "overview"} title=${filtered ? "No conversation matches" : "Nothing to show yet"} actions=${actions}>
    ${filtered ? "Nothing in this range fits all of the filters." : "No conversation happened in this range. Figures show here as soon as one does."}<//>`;
}
