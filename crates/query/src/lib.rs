//! recap-query
