// A button with a panel below it: closed by Escape, by a click elsewhere, and by whoever is given `close`.

import { html, useEffect, useId, useLayoutEffect, useRef, useState } from "../html.js";

/**
 * @param {object} props
 * @param {any} props.button What the button shows.
 * @param {string} props.label The panel's name for screen readers.
 * @param {string} [props.buttonLabel] The button's name, where what it shows does not tell.
 * @param {string} [props.look] Classes of the button.
 * @param {"start" | "end"} [props.align]
 * @param {(close: () => void) => any} props.children
 */
export function Popover({ button, label, buttonLabel, look = "button", align = "start", children }) {
  const [open, setOpen] = useState(false);
  const root = useRef(/** @type {HTMLElement | null} */ (null));
  const trigger = useRef(/** @type {HTMLButtonElement | null} */ (null));
  const panel = useRef(/** @type {HTMLElement | null} */ (null));
  const id = useId();

  const close = () => {
    setOpen(false);
    trigger.current?.focus({ preventScroll: true });
  };

  useEffect(() => {
    if (!open) return undefined;
    const elsewhere = (/** @type {Event} */ event) => {
      if (event.target instanceof Node && !root.current?.contains(event.target)) setOpen(false);
    };
    document.addEventListener("pointerdown", elsewhere);
    document.addEventListener("focusin", elsewhere);
    return () => {
      document.removeEventListener("pointerdown", elsewhere);
      document.removeEventListener("focusin", elsewhere);
    };
  }, [open]);

  useLayoutEffect(() => {
    if (!open || !panel.current) return;
    const first = panel.current.querySelector("input, button, a[href]");
    if (first instanceof HTMLElement && !panel.current.contains(document.activeElement)) first.focus({ preventScroll: true });
    // Panels stay inside the window.
    const box = panel.current.getBoundingClientRect();
    const over = box.right - (document.documentElement.clientWidth - 8);
    if (over > 0 && box.left > over) panel.current.style.translate = `${-over}px 0`;
  }, [open]);

  const keys = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape" || !open) return;
    event.stopPropagation();
    close();
  };

  return html`<div class="popover" ref=${root} onKeyDown=${keys}>
    <button type="button" ref=${trigger} class=${look} aria-haspopup="dialog" aria-expanded=${open} aria-controls=${open ? id : undefined}
      aria-label=${buttonLabel} onClick=${() => (open ? close() : setOpen(true))}>${button}</button>
    ${open && html`<div class=${`panel panel-${align}`} id=${id} role="dialog" aria-label=${label} tabindex="-1" ref=${panel}>${children(close)}</div>`}
  </div>`;
}
