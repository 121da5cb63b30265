//! A connection whose client may be slow, but not for ever: the time limits that hyper does not have.
//!
//! hyper waits without end for the bytes that tell HTTP/1 from HTTP/2, and for a client that reads nothing of its answer.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep, sleep_until},
};

/// How an HTTP/2 connection begins (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream that fails when its client says too little at first, or reads nothing for too long.
pub(super) struct StallTimeout<S> {
    stream: S,
    /// Until the protocol is known.
    opening: Option<Opening>,
    write: Duration,
    /// Runs while the client reads nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

struct Opening {
    deadline: Pin<Box<Sleep>>,
    /// Bytes of the preface that have come.
    seen: usize,
}

impl Opening {
    /// Whether the protocol is known with these bytes, after those seen before.
    fn tells_protocol(&mut self, bytes: &[u8]) -> bool {
        let rest = &PREFACE[self.seen..];
        self.seen += bytes.len();
        bytes.is_empty() || bytes.len() >= rest.len() || !rest.starts_with(bytes)
    }
}

impl<S> StallTimeout<S> {
    /// `open` is how long the protocol may stay unknown, `write` how long a client may read nothing of its answer.
    pub(super) fn new(stream: S, open: Duration, write: Duration) -> Self {
        Self {
            stream,
            opening: Some(Opening {
                deadline: Box::pin(sleep_until(Instant::now() + open)),
                seen: 0,
            }),
            write,
            stalled: None,
        }
    }

    fn written<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let write = self.write;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(write)));
        stalled
            .as_mut()
            .poll(context)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for StallTimeout<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buf);
        let Some(opening) = &mut self.opening else {
            return read;
        };
        if read.is_pending() {
            return opening
                .deadline
                .as_mut()
                .poll(context)
                .map(|()| Err(io::ErrorKind::TimedOut.into()));
        }
        if opening.tells_protocol(&buf.filled()[before..]) {
            self.opening = None;
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for StallTimeout<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_protocol_is_known_by_the_first_byte_that_differs_or_by_the_whole_preface() {
        let known = |pieces: &[&[u8]]| {
            let mut opening = Opening {
                deadline: Box::pin(sleep(Duration::ZERO)),
                seen: 0,
            };
            pieces.iter().map(|piece| opening.tells_protocol(piece)).collect()
        };
        let cases: [(&[&[u8]], Vec<bool>); 5] = [
            (&[b"GET / HTTP/1.1\r\n"], vec![true]),
            (&[b"P", b"OST"], vec![false, true]),
            (&[b"PRI * HTTP/2.0\r\n", b"\r\nSM\r\n\r"], vec![false, false]),
            (&[b"PRI * HTTP/2.0\r\n", b"\r\nSM\r\n\r\n"], vec![false, true]),
            (&[b""], vec![true]),
        ];
        for (pieces, expected) in cases {
            let known: Vec<bool> = known(pieces);
            assert_eq!(known, expected, "{pieces:?}");
        }
    }
}
