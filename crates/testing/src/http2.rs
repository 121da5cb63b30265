//! HTTP/2 by hand (RFC 9113): a client that sends what no client library would.

use std::io;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADER_TABLE_SIZE: u8 = 1;
const INITIAL_WINDOW_SIZE: u8 = 4;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// A frame's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the standard's own names")]
pub enum Kind {
    Data,
    Headers,
    Priority,
    ResetStream,
    Settings,
    Ping,
    GoAway,
    WindowUpdate,
    Continuation,
    Other,
}

impl Kind {
    const NAMED: [(u8, Self); 9] = [
        (0, Self::Data),
        (1, Self::Headers),
        (2, Self::Priority),
        (3, Self::ResetStream),
        (4, Self::Settings),
        (6, Self::Ping),
        (7, Self::GoAway),
        (8, Self::WindowUpdate),
        (9, Self::Continuation),
    ];

    fn of(number: u8) -> Self {
        let named = Self::NAMED.into_iter().find(|(other, _)| *other == number);
        named.map_or(Self::Other, |(_, kind)| kind)
    }

    fn number(self) -> u8 {
        let named = Self::NAMED.into_iter().find(|(_, kind)| *kind == self);
        named.map_or(0x7f, |(number, _)| number)
    }
}

/// A frame that came.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Its type.
    pub kind: Kind,
    /// Its flags.
    pub flags: u8,
    /// The stream it belongs to; 0 is the connection.
    pub stream: u32,
    /// The rest.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Whether it is its stream's last.
    #[must_use]
    pub fn ends_stream(&self) -> bool {
        matches!(self.kind, Kind::Data | Kind::Headers) && self.flags & END_STREAM != 0
    }

    /// The three digits of a response, when this is one that says them plainly or by the static table (RFC 7541).
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        if self.kind != Kind::Headers {
            return None;
        }
        // The first may say that the table of names is smaller now.
        let updates = self.payload.iter().take_while(|byte| *byte & 0xe0 == 0x20).count();
        let block = &self.payload[updates..];
        let indexed = match block.first()? {
            0x88 => 200,
            0x89 => 204,
            0x8a => 206,
            0x8b => 304,
            0x8c => 400,
            0x8d => 404,
            0x8e => 500,
            _ => 0,
        };
        if indexed != 0 {
            return Some(indexed);
        }
        // A literal of the name `:status`, Huffman-coded or not.
        let coded = *block.get(1)?;
        let bytes = block.get(2..2 + usize::from(coded & 0x7f))?;
        if coded & 0x80 == 0 {
            return std::str::from_utf8(bytes).ok()?.parse().ok();
        }
        huffman_digits(bytes)
    }
}

/// Three digits in Huffman code (RFC 7541, B): 0 to 2 have five bits, the others six.
fn huffman_digits(bytes: &[u8]) -> Option<u16> {
    let bits: Vec<u8> = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
        .collect();
    let mut at = 0;
    let mut number = 0;
    for _ in 0..3 {
        let five = bits
            .get(at..at + 5)?
            .iter()
            .fold(0, |value, bit| value << 1 | u16::from(*bit));
        let digit = if five < 3 {
            at += 5;
            five
        } else {
            let six = five << 1 | u16::from(*bits.get(at + 5)?);
            at += 6;
            // 3 is 011001.
            six.checked_sub(0x19)? + 3
        };
        number = number * 10 + digit;
    }
    Some(number)
}

/// A frame to send.
#[must_use]
pub fn frame(kind: Kind, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind.number(), flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// A GET without a body, or one whose body never comes.
#[must_use]
pub fn request(stream: u32, path: &str, token: Option<&str>, ends: bool) -> Vec<u8> {
    // GET and http by the static table, texts as they are.
    let mut fields = vec![0x82, 0x86];
    field(&mut fields, 4, path);
    field(&mut fields, 1, "recap");
    if let Some(token) = token {
        // Never indexed: the name's index, 23, does not fit into four bits.
        fields.extend_from_slice(&[0x1f, 23 - 15]);
        text(&mut fields, &format!("Bearer {token}"));
    }
    let flags = END_HEADERS | if ends { END_STREAM } else { 0 };
    frame(Kind::Headers, flags, stream, &fields)
}

fn field(fields: &mut Vec<u8>, name: u8, value: &str) {
    fields.push(name);
    text(fields, value);
}

fn text(fields: &mut Vec<u8>, value: &str) {
    let length = value.len();
    if length < 127 {
        fields.push(u8::try_from(length).unwrap_or(0));
    } else {
        fields.push(127);
        let mut rest = length - 127;
        while rest >= 128 {
            fields.push(u8::try_from(rest % 128).unwrap_or(0) | 128);
            rest /= 128;
        }
        fields.push(u8::try_from(rest).unwrap_or(0));
    }
    fields.extend_from_slice(value.as_bytes());
}

/// A connection that answers nothing by itself.
pub struct Connection {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
    next: u32,
}

impl Connection {
    /// Connects; every stream may be sent `window` bytes.
    pub async fn open(addr: std::net::SocketAddr, window: u32) -> io::Result<Self> {
        let (read, write) = TcpStream::connect(addr).await?.into_split();
        let mut connection = Self {
            read: BufReader::new(read),
            write,
            next: 1,
        };
        // Without a table every status is spelled out.
        let mut settings = vec![0, HEADER_TABLE_SIZE, 0, 0, 0, 0, 0, INITIAL_WINDOW_SIZE];
        settings.extend_from_slice(&window.to_be_bytes());
        let mut opening = PREFACE.to_vec();
        opening.extend(frame(Kind::Settings, 0, 0, &settings));
        // The connection's own window, as wide as it gets.
        opening.extend(frame(Kind::WindowUpdate, 0, 0, &0x7fff_0000_u32.to_be_bytes()));
        connection.send(&opening).await?;
        Ok(connection)
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write.write_all(bytes).await
    }

    /// Asks, and gives the stream's number.
    pub async fn ask(&mut self, path: &str, token: Option<&str>) -> io::Result<u32> {
        let stream = self.reserve();
        self.send(&request(stream, path, token, true)).await?;
        Ok(stream)
    }

    /// The number of a new stream.
    pub fn reserve(&mut self) -> u32 {
        let stream = self.next;
        self.next += 2;
        stream
    }

    /// Takes a request back.
    pub async fn reset(&mut self, stream: u32) -> io::Result<()> {
        const CANCEL: u32 = 8;
        self.send(&frame(Kind::ResetStream, 0, stream, &CANCEL.to_be_bytes()))
            .await
    }

    /// Acknowledges settings and pings, as a client that wants to live does.
    pub async fn acknowledge(&mut self, frame_read: &Frame) -> io::Result<()> {
        match frame_read.kind {
            Kind::Settings if frame_read.flags & ACK == 0 => self.send(&frame(Kind::Settings, ACK, 0, &[])).await,
            Kind::Ping if frame_read.flags & ACK == 0 => {
                self.send(&frame(Kind::Ping, ACK, 0, &frame_read.payload)).await
            }
            _ => Ok(()),
        }
    }

    /// The next frame, whose settings or ping is acknowledged; none at the connection's end.
    pub async fn next(&mut self) -> Option<Frame> {
        let frame = self.read().await.ok()?;
        // A peer that is gone is noticed at the next reading.
        let _ = self.acknowledge(&frame).await;
        Some(frame)
    }

    /// The next frame.
    pub async fn read(&mut self) -> io::Result<Frame> {
        let mut head = [0; 9];
        self.read.read_exact(&mut head).await?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        self.read.read_exact(&mut payload).await?;
        Ok(Frame {
            kind: Kind::of(head[3]),
            flags: head[4],
            stream: u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]),
            payload,
        })
    }

    /// Reads until the connection ends; the kinds of frames that came.
    pub async fn end(&mut self) -> Vec<Kind> {
        let mut kinds = Vec::new();
        while let Some(frame) = self.next().await {
            kinds.push(frame.kind);
        }
        kinds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_however_it_is_coded() {
        let headers = |payload: &[u8]| Frame {
            kind: Kind::Headers,
            flags: END_HEADERS,
            stream: 1,
            payload: payload.to_vec(),
        };
        assert_eq!(headers(&[0x88]).status(), Some(200));
        assert_eq!(headers(b"\x48\x03429").status(), Some(429));
        assert_eq!(headers(&[0x20, 0x08, 0x82, 0x68, 0x01]).status(), Some(401));
        assert_eq!(headers(&[0x48, 0x83, 0x6c, 0x0c, 0xff]).status(), Some(503));
        assert_eq!(headers(&[]).status(), None);
    }
}
