//! Span names. `tracing` wants literals in `info_span!`, so a span is opened under a short literal and named by `otel.name` with one of these where
//! the two differ.

/// One request to the query service; `otel.name` becomes `{method} {route}`.
pub const HTTP_REQUEST: &str = "http.request";
/// Looking an answer up in the cache, coalesced waiters included.
pub const CACHE_LOOKUP: &str = "cache.lookup";
/// One SQL statement or a few that belong together; `db.operation.name` says which.
pub const SQL: &str = "sql";
/// Folding one chunk of records into states.
pub const PROCESS: &str = "process";
/// One transaction of the projector: reads, upserts, notification, commit. Linked to the producers' spans.
pub const FLUSH: &str = "flush";
/// Committing a flush's transaction.
pub const COMMIT: &str = "commit";
/// Publishing one dead letter.
pub const DEAD_LETTER: &str = "dead_letter";
/// A producer's side: publishing one event.
pub const PUBLISH: &str = "publish";
/// One rebuild, from the new generation to the switch.
pub const REBUILD: &str = "rebuild";

/// Every span name, for tests and documentation.
pub const ALL: &[&str] = &[
    HTTP_REQUEST,
    CACHE_LOOKUP,
    SQL,
    PROCESS,
    FLUSH,
    COMMIT,
    DEAD_LETTER,
    PUBLISH,
    REBUILD,
];
