//! recap-servers

pub mod clerk;
