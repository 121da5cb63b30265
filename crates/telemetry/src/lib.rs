//! recap-telemetry
