//! The name of every span, metric and attribute that recap exports.
//!
//! Names and units follow OpenTelemetry's semantic conventions 1.43 where those have one (`http.server.*`, `messaging.*`, `db.client.*`,
//! `process.*`); what they have no name for begins with `recap.`. Prometheus sees dots as underscores, the unit as a suffix
//! (`s` → `_seconds`, `By` → `_bytes`, `1` → `_ratio`; units in braces add none) and `_total` after counters.

pub mod attribute;
pub mod metric;
pub mod span;
