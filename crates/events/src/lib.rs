//! recap-events
