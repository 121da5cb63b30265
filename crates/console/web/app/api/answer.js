// An answer that is kept current: asked for when what is asked changes, and again when the data does.

import { useContext, useEffect, useRef, useState } from "../../vendor/hooks.js";
import { SessionContext } from "../session/context.js";
import { aborted, ask, pause } from "./client.js";

/** Answers are asked for again no faster than this, in milliseconds, and no faster than in this multiple of the time that they take. */
const LEAST_AGE = 900;
const OF_ITS_TIME = 4;

/**
 * @template T
 * @typedef {{ data: T | null, error: unknown, loading: boolean, again: () => void }} Answer
 */

/**
 * `null` asks for nothing yet. What was answered to the last question is kept until the next answer is there: `loading` says so.
 * @template T
 * @param {string | null} path
 * @param {string} query
 * @returns {Answer<T>}
 */
export function useAnswer(path, query) {
  const { session, changes } = useContext(SessionContext);
  const [count, setCount] = useState(0);
  const [state, setState] = useState(/** @type {{ data: T | null, error: unknown, of: string | null }} */ ({ data: null, error: null, of: null }));
  const question = path === null ? null : `${path}?${query}`;
  const shown = useRef(/** @type {string | null} */ (null));

  useEffect(() => {
    if (path === null) return undefined;
    const abort = new AbortController();
    let stale = false, busy = false;
    const load = async () => {
      if (busy) {
        stale = true;
        return;
      }
      busy = true;
      do {
        stale = false;
        const begun = performance.now();
        try {
          const response = await ask(session, path, query, { signal: abort.signal });
          const data = /** @type {T} */ (await response.json());
          shown.current = question;
          setState({ data, error: null, of: question });
        } catch (error) {
          if (aborted(error) || abort.signal.aborted) return;
          // What is shown stays while the service is away, unless it answers something else.
          setState((before) => ({ data: shown.current === question ? before.data : null, error, of: question }));
        }
        await pause(Math.max(LEAST_AGE, (performance.now() - begun) * OF_ITS_TIME), abort.signal).catch(() => undefined);
      } while (stale && !abort.signal.aborted);
      busy = false;
    };
    void load();
    const unsubscribe = changes.subscribe(() => void load());
    return () => {
      abort.abort();
      unsubscribe();
    };
  }, [session, changes, question, count]);

  return {
    data: state.data,
    error: state.of === question ? state.error : null,
    loading: state.of !== question,
    again: () => setCount((value) => value + 1),
  };
}
