//! recap-generator
