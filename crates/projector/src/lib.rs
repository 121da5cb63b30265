//! recap-projector
