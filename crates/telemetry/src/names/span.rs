//! Span names. `tracing` wants literals in `info_span!`, so a span is opened under a short literal and named by `otel.name` with one of these where
//! the two differ.

/// One request to the query service; `otel.name` becomes `{method} {route}`.
pub const HTTP_REQUEST: &str = "http.request";
/// Looking an answer up in the cache, coalesced waiters included.
pub const CACHE_LOOKUP: &str = "cache.lookup";
/// One transaction of the projector, dead letters first: a child of one producer's span and linked to the others'.
pub const FLUSH: &str = "flush";
/// Publishing one dead letter.
pub const DEAD_LETTER: &str = "dead_letter";
/// Waiting for a connection.
pub const STORE_ACQUIRE: &str = "store.acquire";
/// Opening a snapshot of one organization.
pub const STORE_SNAPSHOT: &str = "store.snapshot";
/// Reading one page of the nested list.
pub const STORE_PAGE: &str = "store.page";
/// Reading some rows of the flat list.
pub const STORE_ROWS: &str = "store.rows";
/// Reading the totals.
pub const STORE_STATS: &str = "store.stats";
/// Writing one batch to the live generation.
pub const STORE_FLUSH: &str = "store.flush";
/// Writing one batch to a generation being built.
pub const STORE_FLUSH_BUILDING: &str = "store.flush_building";
/// Committing it.
pub const STORE_COMMIT: &str = "store.commit";
/// A producer's side: publishing one event.
pub const PUBLISH: &str = "publish";
/// One rebuild, from the new generation to the switch.
pub const REBUILD: &str = "rebuild";

/// Every span name, for tests and documentation.
pub const ALL: &[&str] = &[
    HTTP_REQUEST,
    CACHE_LOOKUP,
    FLUSH,
    DEAD_LETTER,
    STORE_ACQUIRE,
    STORE_SNAPSHOT,
    STORE_PAGE,
    STORE_ROWS,
    STORE_STATS,
    STORE_FLUSH,
    STORE_FLUSH_BUILDING,
    STORE_COMMIT,
    PUBLISH,
    REBUILD,
];
