// A list to choose one of, with a field to search it: a combobox whose list is always open (WAI-ARIA, editable combobox).

import { html, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "../html.js";

/** @typedef {{ value: string, label: string, detail?: string }} Option */

/**
 * @param {object} props
 * @param {string} props.label
 * @param {Option[]} props.options
 * @param {string | undefined} props.chosen
 * @param {(value: string) => void} props.onChoose
 * @param {boolean} [props.free] Whether what is typed may be chosen though it is not listed.
 * @param {boolean} [props.loading]
 * @param {string} [props.hint]
 */
export function Choice({ label, options, chosen, onChoose, free = false, loading = false, hint }) {
  const [typed, setTyped] = useState("");
  const [active, setActive] = useState(0);
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  const id = useId();

  // It stands in a panel that has just opened, or in place of the choice before.
  useLayoutEffect(() => field.current?.focus({ preventScroll: true }), []);

  const shown = useMemo(() => {
    const wanted = typed.trim().toLowerCase();
    const found = options.filter((option) => `${option.label} ${option.value}`.toLowerCase().includes(wanted));
    if (free && wanted && !options.some((option) => option.value === typed.trim())) found.push({ value: typed.trim(), label: `“${typed.trim()}”`, detail: "as typed" });
    return found;
  }, [options, typed, free]);

  useEffect(() => setActive(0), [typed]);
  useEffect(() => {
    list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }, [active]);

  const keys = (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
    if (step) {
      event.preventDefault();
      setActive(Math.max(0, Math.min(shown.length - 1, active + step)));
    } else if (event.key === "Enter" && shown[active]) {
      event.preventDefault();
      onChoose(shown[active].value);
    }
  };

  return html`<div class="choice">
    <input class="field" type="text" role="combobox" ref=${field} aria-label=${label} aria-expanded="true" aria-autocomplete="list" aria-controls=${id}
      aria-activedescendant=${shown[active] ? `${id}-${active}` : undefined} autocomplete="off" spellcheck=${false}
      placeholder=${free ? "Search or type" : "Search"} value=${typed} onInput=${(/** @type {any} */ event) => setTyped(event.target.value)} onKeyDown=${keys} />
    <ul class="options" role="listbox" id=${id} aria-label=${label} aria-busy=${loading} ref=${list}>
      ${shown.map((option, index) => html`<li key=${option.value} id=${`${id}-${index}`} role="option" aria-selected=${index === active}
        class=${option.value === chosen ? "option chosen" : "option"} onMouseDown=${(/** @type {Event} */ event) => event.preventDefault()} onPointerMove=${() => setActive(index)} onClick=${() => onChoose(option.value)}>
        <span class="option-label">${option.label}</span>${option.detail && html`<span class="option-detail">${option.detail}</span>`}
      </li>`)}
    </ul>
    ${shown.length === 0 && html`<p class="hint" role="status">${loading ? "Loading…" : hint ?? "Nothing found."}</p>`}
  </div>`;
}
