//! A body that is written piece by piece while it is sent, and that cannot be taken for a whole one when it is cut off.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::body::Body;
use bytes::Bytes;
use tokio::sync::mpsc;

use super::{compression::Encoder, negotiation::Coding, turns::Progress};

/// Pieces on their way to the client.
const PIECES: usize = 1;
/// Bytes of a piece: what a client takes shows as often.
const PIECE: usize = 64 * 1024;

/// Why a piece was not sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// Nobody reads the body any more.
    #[error("the client hung up")]
    ClientGone,
    /// The encoder failed.
    #[error("the answer cannot be encoded")]
    Encode(#[from] io::Error),
}

/// The writing end of a response's body.
pub(crate) struct BodyWriter {
    encoder: Encoder,
    sender: mpsc::Sender<Bytes>,
    progress: Arc<Progress>,
    /// Set after the last piece: a body that ends without it was cut off.
    complete: Arc<AtomicBool>,
}

/// A body in `coding` that fails, and with it the connection, unless its writer finishes it. What the client takes is noted in `progress`.
pub(crate) fn channel(coding: Coding, progress: Arc<Progress>) -> (BodyWriter, Body) {
    let (sender, mut receiver) = mpsc::channel::<Bytes>(PIECES);
    let complete = Arc::new(AtomicBool::new(false));
    let writer = BodyWriter {
        encoder: Encoder::new(coding),
        sender,
        progress,
        complete: Arc::clone(&complete),
    };
    let stream = async_stream::stream! {
        while let Some(piece) = receiver.recv().await {
            yield Ok(piece);
        }
        if !complete.load(Ordering::SeqCst) {
            yield Err(io::Error::other("the answer was cut off"));
        }
    };
    (writer, Body::from_stream(stream))
}

impl BodyWriter {
    /// Ends when the client hangs up.
    pub(crate) fn client_gone(&self) -> impl Future<Output = ()> + use<> {
        let sender = self.sender.clone();
        async move { sender.closed().await }
    }

    /// Sends a piece; waits while the client reads the one before it.
    pub(crate) async fn send(&mut self, piece: &[u8]) -> Result<(), SendError> {
        let encoded = self.encoder.encode(piece).await?;
        self.send_encoded(encoded).await
    }

    /// Sends the last piece.
    pub(crate) async fn finish(mut self, piece: &[u8]) -> Result<(), SendError> {
        let mut last = self.encoder.encode(piece).await?;
        last.append(&mut self.encoder.finish().await?);
        self.send_encoded(last).await?;
        self.complete.store(true, Ordering::SeqCst);
        Ok(())
    }

    async fn send_encoded(&self, piece: Vec<u8>) -> Result<(), SendError> {
        let mut rest = Bytes::from(piece);
        while !rest.is_empty() {
            let piece = rest.split_to(rest.len().min(PIECE));
            let bytes = piece.len();
            self.progress.offer();
            let sent = self.sender.send(piece).await;
            sent.map_err(|_| SendError::ClientGone)?;
            self.progress.took(bytes);
        }
        Ok(())
    }
}
