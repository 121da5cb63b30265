//! A budget of HTTP/2 frames that ask for nothing: SETTINGS, PING, resets and the like are answered or booked at once, however many come.

use std::time::Duration;

use tokio::time::Instant;

use super::Flooded;

/// Such frames at once: a proxy resets every request of a page that somebody leaves, and may have many such pages on one connection.
const BURST: u32 = 2_000;
/// And so many a second.
const RATE: u32 = 500;
/// A client acknowledges what it is sent: so many bytes allow one more frame.
const BYTES_PER_FRAME: usize = 1_024;

const HEAD_BYTES: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;

/// Frames that a client may still send.
pub(in crate::http::listener) struct FrameBudget {
    left: u32,
    refilled: Instant,
    /// Bytes that went to the client and are not yet worth a frame.
    written: usize,
    head: [u8; HEAD_BYTES],
    head_bytes: usize,
    /// Of the frame's payload, still to come.
    payload: usize,
}

impl FrameBudget {
    pub(super) fn new() -> Self {
        Self {
            left: BURST,
            refilled: Instant::now(),
            written: 0,
            head: [0; HEAD_BYTES],
            head_bytes: 0,
            payload: 0,
        }
    }

    pub(super) fn read(&mut self, mut bytes: &[u8]) -> Result<(), Flooded> {
        loop {
            let skipped = self.payload.min(bytes.len());
            self.payload -= skipped;
            bytes = &bytes[skipped..];
            let taken = (HEAD_BYTES - self.head_bytes).min(bytes.len());
            self.head[self.head_bytes..self.head_bytes + taken].copy_from_slice(&bytes[..taken]);
            self.head_bytes += taken;
            bytes = &bytes[taken..];
            if self.head_bytes < HEAD_BYTES {
                return Ok(());
            }
            self.head_bytes = 0;
            self.payload = u32::from_be_bytes([0, self.head[0], self.head[1], self.head[2]]) as usize;
            let asks = match self.head[3] {
                HEADERS => true,
                DATA => self.payload > 0,
                _ => false,
            };
            if !asks {
                self.spend()?;
            }
        }
    }

    pub(super) fn wrote(&mut self, bytes: usize) {
        self.written += bytes;
        let frames = u32::try_from(self.written / BYTES_PER_FRAME).unwrap_or(u32::MAX);
        self.written %= BYTES_PER_FRAME;
        self.left = self.left.saturating_add(frames).min(BURST);
    }

    fn spend(&mut self) -> Result<(), Flooded> {
        if self.left == 0 {
            let passed = self.refilled.elapsed().min(Duration::from_mins(1));
            let refill = u32::try_from(passed.as_millis()).unwrap_or_default() * RATE / 1_000;
            self.left = refill.min(BURST);
            self.refilled = Instant::now();
        }
        self.left = self.left.checked_sub(1).ok_or(Flooded)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, payload, kind, 0, 0, 0, 0, 1];
        frame.resize(HEAD_BYTES + usize::from(payload), 0xaa);
        frame
    }

    #[test]
    fn requests_and_their_bodies_are_free_and_everything_else_is_counted_however_it_arrives() {
        let mut budget = FrameBudget::new();
        for _ in 0..2 * BURST {
            for asking in [frame(HEADERS, 30), frame(DATA, 1)] {
                assert_eq!(budget.read(&asking), Ok(()));
            }
        }
        assert_eq!(budget.left, BURST);
        for (kind, payload) in [(DATA, 0), (2, 5), (3, 4), (4, 0), (6, 8), (8, 4), (9, 1), (77, 3)] {
            let before = budget.left;
            let counted = frame(kind, payload);
            for byte in counted.chunks(1) {
                assert_eq!(budget.read(byte), Ok(()));
            }
            assert_eq!(budget.read(&counted.repeat(2)), Ok(()));
            assert_eq!(budget.left, before - 3, "{kind}");
        }
    }

    #[tokio::test]
    async fn a_flood_ends_and_what_acknowledges_an_answer_is_none() {
        let ping = frame(6, 8);
        let mut budget = FrameBudget::new();
        let flood = ping.repeat(BURST as usize + 1_000);
        assert_eq!(budget.read(&flood), Err(Flooded));
        let mut budget = FrameBudget::new();
        for _ in 0..3 * BURST {
            budget.wrote(BYTES_PER_FRAME);
            assert_eq!(budget.read(&ping), Ok(()));
        }
    }
}
