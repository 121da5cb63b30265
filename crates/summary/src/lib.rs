//! recap-summary
