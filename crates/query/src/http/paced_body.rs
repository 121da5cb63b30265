//! A body whose client may take it slowly, but not stop: its progress is what the client took, HTTP/2's windows included.
//!
//! hyper asks for a body's next bytes as soon as it has room for them itself, and gives nobody word of what became of those before. So a body
//! is handed out in pieces of which few are out at a time, and a piece knows when it is gone: written to the connection, and dropped.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http::Version;
use http_body::{Body as _, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::PollSemaphore;

use super::{memory::Reservation, stall::Stall, taking::Taking};

/// Bytes of a piece.
const PIECE: usize = 32 * 1024;
/// Pieces that are out at a time. Less than hyper buffers of HTTP/1: else it would not ask for more, and the stall would not be noticed.
const PIECES: usize = 3;
/// Shorter bodies of HTTP/2 end with their bytes: to wait for those would cost a frame and a wake-up.
const SHORT: u64 = 4 * 1024;

/// A body in pieces.
pub(crate) struct PacedBody {
    body: Body,
    /// Of the frame at hand, what has not been handed out.
    rest: Bytes,
    out: PollSemaphore,
    stall: Stall,
    /// The body has ended; its last pieces may be out.
    ended: bool,
    /// The end is said only when all has been taken, so that a client that takes nothing is noticed to the end.
    waits_for_end: bool,
    taking: Arc<Taking>,
}

impl PacedBody {
    /// `limit` is how long the client may take nothing; less while others wait for what `reservation` holds.
    pub(crate) fn new(body: Body, version: Version, limit: Duration, reservation: Option<Arc<Reservation>>) -> Self {
        let short = body.size_hint().upper().is_some_and(|bytes| bytes <= SHORT);
        let taking = Taking::new(limit, reservation);
        let watched = Arc::clone(&taking);
        Self {
            body,
            rest: Bytes::new(),
            out: PollSemaphore::new(Arc::new(Semaphore::new(PIECES))),
            stall: Stall::new(taking.limit(), move || watched.is_wanted()),
            ended: false,
            waits_for_end: version >= Version::HTTP_2 && !short,
            taking,
        }
    }

    /// Waits until another piece may go out.
    fn poll_turn(&mut self, context: &mut Context<'_>, pieces: usize) -> Poll<Result<OwnedSemaphorePermit, io::Error>> {
        let pieces = u32::try_from(pieces).unwrap_or(1);
        match self.out.poll_acquire_many(context, pieces) {
            Poll::Ready(Some(permit)) => {
                self.stall.end();
                Poll::Ready(Ok(permit))
            }
            Poll::Ready(None) => Poll::Ready(Err(io::Error::other("a body is read after its end"))),
            Poll::Pending => self.stall.poll(context).map(|()| Err(io::ErrorKind::TimedOut.into())),
        }
    }

    /// The next piece of the frame at hand.
    fn piece(&mut self, permit: OwnedSemaphorePermit) -> Bytes {
        let last = self.rest.len() <= PIECES * PIECE && self.body.is_end_stream();
        let piece = self.rest.split_to(self.rest.len().min(PIECE));
        // hyper drops a body of HTTP/1 with its last byte in hand: what it still writes should not hold the whole answer in memory.
        let bytes = if last { Bytes::copy_from_slice(&piece) } else { piece };
        if last
            && self.rest.is_empty()
            && let Some(reservation) = self.taking.reservation()
        {
            reservation.shrink(PIECES * PIECE);
        }
        self.taking.give();
        Bytes::from_owner(Piece {
            bytes,
            taking: Arc::clone(&self.taking),
            _permit: permit,
        })
    }
}

/// Bytes that are out, until they are dropped.
struct Piece {
    bytes: Bytes,
    /// Holds the reservation too.
    taking: Arc<Taking>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.taking.take();
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl http_body::Body for PacedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        loop {
            if !this.rest.is_empty() {
                let turn = std::task::ready!(this.poll_turn(context, 1));
                return Poll::Ready(Some(match turn {
                    Ok(permit) => Ok(Frame::data(this.piece(permit))),
                    Err(error) => Err(axum::Error::new(error)),
                }));
            }
            if this.ended {
                if this.waits_for_end {
                    let all = std::task::ready!(this.poll_turn(context, PIECES));
                    this.waits_for_end = false;
                    if let Err(error) = all {
                        return Poll::Ready(Some(Err(axum::Error::new(error))));
                    }
                }
                return Poll::Ready(None);
            }
            match std::task::ready!(Pin::new(&mut this.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => this.ended = true,
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && !self.waits_for_end && (self.ended || self.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let of_body = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(of_body.lower() + rest);
        if let Some(upper) = of_body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}
