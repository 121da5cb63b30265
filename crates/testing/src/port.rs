//! Free ports on 127.0.0.1.

use std::{io, net::TcpListener};

use crate::unique::unique_id;

/// Below the range from which the system takes the local ports of outgoing connections, so that nobody takes the port
/// of a server while a test has it stopped.
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;
const TRIES: u16 = 200;

/// A port that nobody listens on at this moment. Another process may still take it first: start again then.
pub fn free_port() -> io::Result<u16> {
    let random = unique_id().into_bytes();
    let start = u16::from_be_bytes([random[0], random[1]]) % COUNT;
    let mut refused = io::Error::from(io::ErrorKind::AddrInUse);
    for step in 0..TRIES {
        let port = FIRST + (start + step * 7) % COUNT;
        match TcpListener::bind(("127.0.0.1", port)) {
            Ok(_) => return Ok(port),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}
