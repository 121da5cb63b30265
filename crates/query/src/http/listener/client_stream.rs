//! The bytes of a connection, whose client may be slow, but not for ever, and may not flood: the limits that hyper does not have.
//!
//! hyper waits without end for the bytes that tell HTTP/1 from HTTP/2, and for a client that reads nothing of its answer.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::{connections::Connection, wire::Wire};
use crate::http::{pressure::Pressure, stall::Stall};

/// A stream that fails when its client says too little at first, or reads nothing for too long.
pub(super) struct ClientStream<S> {
    stream: S,
    connection: Arc<Connection>,
    wire: Wire,
    /// Until the protocol is known.
    opening: Option<Pin<Box<Sleep>>>,
    stall: Stall,
}

impl<S> ClientStream<S> {
    /// `open` is how long the protocol may stay unknown, `write` how long a client may read nothing of its answer.
    pub(super) fn new(
        stream: S,
        connection: Arc<Connection>,
        open: Duration,
        write: Duration,
        pressure: Pressure,
    ) -> Self {
        Self {
            stream,
            connection,
            wire: Wire::new(),
            opening: Some(Box::pin(sleep_until(Instant::now() + open))),
            stall: Stall::new(write, move || pressure.is_felt()),
        }
    }

    fn written(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(written) => {
                self.stall.end();
                if let Ok(bytes) = written {
                    self.wire.wrote(bytes);
                }
                Poll::Ready(written)
            }
            Poll::Pending => self.stall.poll(context).map(|()| Err(io::ErrorKind::TimedOut.into())),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ClientStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.connection.flooded.is_cancelled() {
            // Whoever serves the connection is about to end it.
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buf);
        if read.is_pending()
            && let Some(deadline) = &mut this.opening
        {
            return deadline
                .as_mut()
                .poll(context)
                .map(|()| Err(io::ErrorKind::TimedOut.into()));
        }
        if matches!(read, Poll::Ready(Ok(()))) {
            if this.wire.read(&mut buf.filled_mut()[before..]).is_err() {
                buf.set_filled(before);
                this.connection.flooded.cancel();
                return Poll::Pending;
            }
            if !this.wire.is_unknown() {
                this.opening = None;
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ClientStream<S> {
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
