//! An HTTP/1.1 client that costs next to nothing, because it shares the machine with what it measures: one connection,
//! prepared requests, bodies counted and kept only when asked for.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

/// What came back.
#[derive(Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub bytes: usize,
    /// From the request to the first byte of the status line.
    pub first_byte: Duration,
    /// From the request to the last byte of the body.
    pub total: Duration,
    /// The `Link` header's value.
    pub link: Option<String>,
}

/// A connection that is kept open.
pub struct Client {
    stream: BufReader<TcpStream>,
    host: String,
    token: String,
    line: String,
    /// The last answer's body.
    pub body: Vec<u8>,
}

impl Client {
    /// Connects to `host` (`127.0.0.1:8080`); every request carries the token.
    pub async fn connect(host: &str, token: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(host)
            .await
            .with_context(|| format!("cannot reach {host}"))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::with_capacity(1 << 16, stream),
            host: host.to_owned(),
            token: token.to_owned(),
            line: String::new(),
            body: Vec::new(),
        })
    }

    /// GETs `path` with its query string.
    pub async fn get(&mut self, path: &str) -> anyhow::Result<Answer> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nAccept: application/json\r\n\r\n",
            self.host, self.token
        );
        let begun = Instant::now();
        self.stream.get_mut().write_all(request.as_bytes()).await?;
        let mut answer = Answer::default();
        self.read_line().await?;
        answer.first_byte = begun.elapsed();
        answer.status = self
            .line
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .context("no status")?;
        let mut length = None;
        let mut chunked = false;
        loop {
            self.read_line().await?;
            if self.line.is_empty() {
                break;
            }
            let Some((name, value)) = self.line.split_once(':') else {
                continue;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = Some(value.trim().parse::<usize>()?),
                "transfer-encoding" => chunked = value.trim().eq_ignore_ascii_case("chunked"),
                "link" => answer.link = Some(value.trim().to_owned()),
                _ => {}
            }
        }
        self.body.clear();
        answer.bytes = match (length, chunked) {
            (Some(length), _) => {
                self.body.resize(length, 0);
                self.stream.read_exact(&mut self.body).await?;
                length
            }
            (None, true) => self.drain_chunks().await?,
            (None, false) => bail!("a body without an end"),
        };
        answer.total = begun.elapsed();
        Ok(answer)
    }

    /// As [`Self::get`]; anything but 200 is an error.
    pub async fn get_ok(&mut self, path: &str) -> anyhow::Result<Answer> {
        let answer = self.get(path).await?;
        ensure!(
            answer.status == 200,
            "{path} was answered with {}: {}",
            answer.status,
            String::from_utf8_lossy(&self.body)
        );
        Ok(answer)
    }

    /// Counts a streamed body without keeping it.
    async fn drain_chunks(&mut self) -> anyhow::Result<usize> {
        let mut total = 0;
        loop {
            self.read_line().await?;
            let size = usize::from_str_radix(self.line.split(';').next().unwrap_or_default().trim(), 16)
                .context("a chunk without a size")?;
            let mut left = size;
            while left > 0 {
                let ready = self.stream.fill_buf().await?;
                ensure!(!ready.is_empty(), "the stream was cut off");
                let used = ready.len().min(left);
                self.stream.consume(used);
                left -= used;
            }
            self.read_line().await?;
            if size == 0 {
                return Ok(total);
            }
            total += size;
        }
    }

    async fn read_line(&mut self) -> anyhow::Result<()> {
        self.line.clear();
        let read = self.stream.read_line(&mut self.line).await?;
        ensure!(read > 0, "the connection was closed");
        self.line.truncate(self.line.trim_end().len());
        Ok(())
    }
}
