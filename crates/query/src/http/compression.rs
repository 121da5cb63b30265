//! Content codings for bytes at hand and for bytes that arrive over time.

use std::io;

use async_compression::{
    Level,
    tokio::write::{BrotliEncoder, GzipEncoder, ZstdEncoder},
};
use tokio::io::AsyncWriteExt;

use super::negotiation::Coding;

/// An encoder that hands out what it has encoded so far.
pub(crate) enum Encoder {
    Identity(Vec<u8>),
    Zstd(ZstdEncoder<Vec<u8>>),
    Brotli(Box<BrotliEncoder<Vec<u8>>>),
    Gzip(GzipEncoder<Vec<u8>>),
}

impl Encoder {
    /// Levels that cost a few milliseconds a megabyte: answers are made on demand.
    pub(crate) fn new(coding: Coding) -> Self {
        let out = Vec::new();
        match coding {
            Coding::Identity => Self::Identity(out),
            Coding::Zstd => Self::Zstd(ZstdEncoder::with_quality(out, Level::Precise(2))),
            Coding::Brotli => Self::Brotli(Box::new(BrotliEncoder::with_quality(out, Level::Precise(3)))),
            Coding::Gzip => Self::Gzip(GzipEncoder::with_quality(out, Level::Precise(4))),
        }
    }

    /// Takes `bytes` in and gives out everything that a reader needs to see them.
    pub(crate) async fn encode(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Identity(out) => out.extend_from_slice(bytes),
            Self::Zstd(encoder) => push(encoder, bytes).await?,
            Self::Brotli(encoder) => push(encoder.as_mut(), bytes).await?,
            Self::Gzip(encoder) => push(encoder, bytes).await?,
        }
        Ok(std::mem::take(self.out()))
    }

    /// Gives out the end of the encoded bytes.
    pub(crate) async fn finish(&mut self) -> io::Result<Vec<u8>> {
        match self {
            Self::Identity(_) => {}
            Self::Zstd(encoder) => encoder.shutdown().await?,
            Self::Brotli(encoder) => encoder.shutdown().await?,
            Self::Gzip(encoder) => encoder.shutdown().await?,
        }
        Ok(std::mem::take(self.out()))
    }

    fn out(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Identity(out) => out,
            Self::Zstd(encoder) => encoder.get_mut(),
            Self::Brotli(encoder) => encoder.get_mut(),
            Self::Gzip(encoder) => encoder.get_mut(),
        }
    }
}

async fn push<W: AsyncWriteExt + Unpin>(encoder: &mut W, bytes: &[u8]) -> io::Result<()> {
    encoder.write_all(bytes).await?;
    encoder.flush().await
}

/// The whole of `bytes` in `coding`.
pub(crate) async fn encode(coding: Coding, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = Encoder::new(coding);
    // Without the flushes of a stream the coding compresses better.
    match &mut encoder {
        Encoder::Identity(_) => return Ok(bytes.to_vec()),
        Encoder::Zstd(writer) => writer.write_all(bytes).await?,
        Encoder::Brotli(writer) => writer.write_all(bytes).await?,
        Encoder::Gzip(writer) => writer.write_all(bytes).await?,
    }
    encoder.finish().await
}
