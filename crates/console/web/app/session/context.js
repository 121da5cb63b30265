// What every part of the page may use: who is signed in, and the stream of changes.

import { createContext } from "../../vendor/preact.js";
import { Changes } from "../api/changes.js";

/** @typedef {{ session: import("./session.js").Session, changes: Changes, leave: () => void }} Signed */

export const SessionContext = createContext(/** @type {Signed} */ (/** @type {unknown} */ (null)));
