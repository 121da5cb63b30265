//! recap-servers
