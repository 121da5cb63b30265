// Hears of changes: one event stream for the page, read with `fetch`, since `EventSource` cannot send a token.

import { useEffect, useState } from "../../vendor/hooks.js";
import { ApiError, ask, pause } from "./client.js";

/** @typedef {import("../session/session.js").Session} Session */
/** @typedef {"connecting" | "live" | "away" | "paused"} Liveness */

const SHORTEST_PAUSE = 500;
const LONGEST_PAUSE = 15_000;

export class Changes {
  /** @param {Session} session */
  constructor(session) {
    this.session = session;
    /** @type {Set<() => void>} */
    this.listeners = new Set();
    /** @type {Set<(state: Liveness) => void>} */
    this.observers = new Set();
    /** @type {Liveness} */
    this.state = "connecting";
    /** Something changed while nobody looked. */
    this.missed = false;
    this.wake = new AbortController();
    document.addEventListener("visibilitychange", this.seen);
    addEventListener("online", this.hurry);
    this.unheard = session.renewed?.(() => {
      this.hurry();
      this.tell();
    });
    this.stopped = new AbortController();
    this.attempt = new AbortController();
    void this.run();
  }

  stop() {
    document.removeEventListener("visibilitychange", this.seen);
    removeEventListener("online", this.hurry);
    this.unheard?.();
    this.stopped.abort();
    this.attempt.abort();
  }

  /** Nothing is told until it is resumed. */
  toggle() {
    if (this.state === "paused") {
      this.show("connecting");
      void this.run();
    } else {
      this.show("paused");
      this.attempt.abort();
    }
  }

  /** @param {() => void} listener */
  subscribe(listener) {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** Tells everybody, once somebody looks. */
  tell() {
    this.missed = document.hidden;
    if (!this.missed) for (const listener of this.listeners) listener();
  }

  seen = () => {
    if (this.missed) this.tell();
    if (!document.hidden) this.hurry();
  };

  /** Whatever was in the way may be over: nobody waits longer. */
  hurry = () => {
    this.wake.abort();
    this.wake = new AbortController();
  };

  /** @param {Liveness} state */
  show(state) {
    if (this.state === state) return;
    this.state = state;
    for (const observer of this.observers) observer(state);
  }

  over() {
    return this.stopped.signal.aborted || this.state === "paused";
  }

  async run() {
    let wait = SHORTEST_PAUSE;
    while (!this.over()) {
      this.attempt = new AbortController();
      const begun = performance.now();
      try {
        await this.listen(this.attempt.signal);
      } catch (error) {
        if (this.over()) return;
        this.show("away");
        // A session that has ended is shown by the next answer; there is no use in asking again, unless something else may renew it.
        if (error instanceof ApiError && [401, 403].includes(error.status) && this.session.leave) return;
      }
      if (this.over()) return;
      // Streams end with their token; only those that end at once are slowed down.
      wait = performance.now() - begun > LONGEST_PAUSE ? SHORTEST_PAUSE : Math.min(wait * 2, LONGEST_PAUSE);
      await pause(wait * (0.5 + Math.random() / 2), AbortSignal.any([this.stopped.signal, this.wake.signal])).catch(() => undefined);
    }
  }

  /** @param {AbortSignal} signal */
  async listen(signal) {
    const response = await ask(this.session, "changes", "", { signal, accept: "text/event-stream" });
    if (!response.body) return;
    this.show("live");
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const events = (rest + value).split(/\r?\n\r?\n/);
      rest = events.pop() ?? "";
      if (events.some((event) => /^event: ?changed$/m.test(event))) this.tell();
    }
  }
}

/** @param {Changes} changes */
export function useLiveness(changes) {
  const [state, setState] = useState(changes.state);
  useEffect(() => {
    setState(changes.state);
    changes.observers.add(setState);
    return () => void changes.observers.delete(setState);
  }, [changes]);
  return state;
}
