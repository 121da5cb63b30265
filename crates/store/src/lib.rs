//! recap-store
