// What a condition can be set to: values that occur in the range, or a key and a value of the users' metadata.

import { html, useLayoutEffect, useMemo, useRef, useState } from "../html.js";
import { useAnswer } from "../api/answer.js";
import { useNames } from "../api/names.js";
import { whole } from "../format.js";
import { change, go } from "../state/place.js";
import { Choice } from "../ui/choice.js";

/** @typedef {"agentId" | "model" | "toolName" | "userId"} Listed */

/** @type {Record<Listed, string>} */
const BY = { agentId: "agentId", model: "agentModel", toolName: "toolName", userId: "userId" };
/** As many values as the API lists. */
const MOST = "100";

/** @param {{ kind: Listed, label: string, filter: string, chosen: string | undefined, onChoose: (value: string) => void }} props */
export function Values({ kind, label, filter, chosen, onChoose }) {
  const others = new URLSearchParams(filter);
  others.delete(kind);
  const query = new URLSearchParams([...others, ["by", BY[kind]], ["top", MOST]]);
  const { data, error } = /** @type {import("../api/answer.js").Answer<import("../api/contract.js").Share[]>} */ (useAnswer("getBreakdown", query.toString()));
  const values = useMemo(() => data?.filter((share) => share.value !== null) ?? [], [data]);
  const name = useNames(kind === "agentId" || kind === "userId" ? kind : null, values.map((share) => share.value), others.toString());
  const options = values.map((share) => ({ value: String(share.value), label: name(share.value) ?? "", detail: whole(share.conversationCount) }));
  return html`<${Choice} label=${label} options=${options} chosen=${chosen} onChoose=${onChoose} free loading=${data === null && !error}
    hint=${error ? "The values cannot be listed now; type one." : "None in this range."} />`;
}

/** @param {{ place: import("../state/place.js").Place, close: () => void }} props */
export function MetadataForm({ place, close }) {
  const [key, setKey] = useState(place.metadataKey ?? "");
  const [value, setValue] = useState(place.metadataValue ?? "");
  const first = useRef(/** @type {HTMLInputElement | null} */ (null));
  useLayoutEffect(() => first.current?.focus({ preventScroll: true }), []);
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    close();
    go(change(place, { metadataKey: key || undefined, metadataValue: value || undefined }));
  };
  return html`<form class="form" onSubmit=${submit}>
    <label>Key<input class="field" type="text" value=${key} placeholder="plan, or department.name" onInput=${(/** @type {any} */ event) => setKey(event.target.value)} ref=${first} /></label>
    <label>Value<input class="field" type="text" value=${value} placeholder="any value" onInput=${(/** @type {any} */ event) => setValue(event.target.value)} /></label>
    <p class="hint">Conversations of users whose public metadata has this key, this value, or this value at this key.</p>
    <button type="submit" class="button primary" disabled=${!key && !value}>Filter</button>
  </form>`;
}
