//! What a client's bytes may look like before hyper reads them: the protocol they begin, the line ends of HTTP/1, the frames of HTTP/2.
//!
//! hyper waits without end for the bytes that tell HTTP/1 from HTTP/2, takes a bare LF for a line's end, and answers frames that cost a client
//! nothing for as long as they come.

mod frames;
mod heads;

use self::{frames::FrameBudget, heads::HeadScanner};

/// How an HTTP/2 connection begins (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The client sends more frames without a request than any client needs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flooded;

/// What is known of a connection's protocol.
pub(super) enum Wire {
    /// So many bytes of the preface have come.
    Unknown(usize),
    Http1(HeadScanner),
    Http2(FrameBudget),
}

impl Wire {
    /// Nothing has come yet.
    pub(super) fn new() -> Self {
        Self::Unknown(0)
    }

    /// Whether the protocol is still unknown.
    pub(super) fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }

    /// Takes note of bytes that came, and changes those that hyper must not take for what they are not.
    pub(super) fn read(&mut self, bytes: &mut [u8]) -> Result<(), Flooded> {
        match self {
            Self::Unknown(seen) => {
                let (seen, rest) = (*seen, &PREFACE[*seen..]);
                if bytes.is_empty() || !rest.starts_with(&bytes[..bytes.len().min(rest.len())]) {
                    let mut scanner = HeadScanner::default();
                    scanner.read(&mut PREFACE[..seen].to_vec());
                    scanner.read(bytes);
                    *self = Self::Http1(scanner);
                } else if let Some(frames) = bytes.get(rest.len()..) {
                    let mut budget = FrameBudget::new();
                    let read = budget.read(frames);
                    *self = Self::Http2(budget);
                    return read;
                } else {
                    *self = Self::Unknown(seen + bytes.len());
                }
                Ok(())
            }
            Self::Http1(scanner) => {
                scanner.read(bytes);
                Ok(())
            }
            Self::Http2(budget) => budget.read(bytes),
        }
    }

    /// Takes note of bytes that went to the client.
    pub(super) fn wrote(&mut self, bytes: usize) {
        if let Self::Http2(budget) = self {
            budget.wrote(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocol_is_known_by_the_first_byte_that_differs_or_by_the_whole_preface() {
        let known = |pieces: &[&[u8]]| -> Vec<bool> {
            let mut wire = Wire::new();
            let read = |piece: &&[u8]| {
                assert_eq!(wire.read(&mut piece.to_vec()), Ok(()));
                !wire.is_unknown()
            };
            pieces.iter().map(read).collect()
        };
        let cases: [(&[&[u8]], Vec<bool>); 5] = [
            (&[b"GET / HTTP/1.1\r\n"], vec![true]),
            (&[b"P", b"OST"], vec![false, true]),
            (&[b"PRI * HTTP/2.0\r\n", b"\r\nSM\r\n\r"], vec![false, false]),
            (&[b"PRI * HTTP/2.0\r\n", b"\r\nSM\r\n\r\n"], vec![false, true]),
            (&[b""], vec![true]),
        ];
        for (pieces, expected) in cases {
            assert_eq!(known(pieces), expected, "{pieces:?}");
        }
    }
}
