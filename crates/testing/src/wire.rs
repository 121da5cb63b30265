//! One request in Kafka's own protocol: what client libraries do not send.

use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Sends a request, header included, and returns the response behind its length.
pub(crate) async fn ask(broker: &str, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(broker).await?;
    stream.write_i32(length(request)).await?;
    stream.write_all(request).await?;
    let size = usize::try_from(stream.read_i32().await?).map_err(io::Error::other)?;
    let mut response = vec![0; size];
    stream.read_exact(&mut response).await?;
    Ok(response)
}

/// The error code at this place of a response.
pub(crate) fn check(response: &[u8], at: usize) -> io::Result<()> {
    match response.get(at..at + 2) {
        Some([0, 0]) => Ok(()),
        Some(code) => Err(io::Error::other(format!("error code {code:?}"))),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// A length of four bytes.
pub(crate) fn length(bytes: &[u8]) -> i32 {
    i32::try_from(bytes.len()).unwrap_or(i32::MAX)
}

/// A string of the protocol's older requests.
pub(crate) fn string(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&u16::try_from(text.len()).unwrap_or_default().to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
}
