//! Line ends of HTTP/1: a bare LF is no line's end (RFC 9112, 2.2, lets a server refuse it), and what takes it for one disagrees with a proxy
//! about where a request ends.

/// What a bare LF is made: hyper answers 400 to it wherever it stands.
const REFUSED: u8 = 0;
/// A line that begins so announces a body, behind which nothing is read.
const BODY: [&[u8]; 2] = [b"content-length:", b"transfer-encoding:"];
/// The beginning of a line that tells one of [`BODY`].
const BEGINNING: usize = 18;

/// Follows the heads of a connection's requests.
#[derive(Default)]
pub(in crate::http::listener) struct HeadScanner {
    last: u8,
    /// Bytes of this line.
    length: usize,
    beginning: [u8; BEGINNING],
    announces_body: bool,
    /// What comes is a body, or nobody's.
    past_heads: bool,
}

impl HeadScanner {
    pub(super) fn read(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.past_heads {
                return;
            }
            let read = *byte;
            if read == b'\n' {
                if self.last == b'\r' {
                    self.end_line();
                } else {
                    *byte = REFUSED;
                    self.past_heads = true;
                }
            } else {
                if let Some(place) = self.beginning.get_mut(self.length) {
                    *place = read.to_ascii_lowercase();
                }
                self.length += 1;
            }
            self.last = read;
        }
    }

    fn end_line(&mut self) {
        // The CR counts.
        if self.length == 1 {
            self.past_heads = self.announces_body;
        } else if BODY.iter().any(|name| self.beginning.starts_with(name)) {
            self.announces_body = true;
        }
        self.length = 0;
        self.beginning = [0; BEGINNING];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What hyper gets to see, however the bytes arrive.
    fn seen(sent: &str) -> String {
        let whole = {
            let mut bytes = sent.as_bytes().to_vec();
            HeadScanner::default().read(&mut bytes);
            bytes
        };
        let mut scanner = HeadScanner::default();
        let mut single = sent.as_bytes().to_vec();
        for byte in single.chunks_mut(1) {
            scanner.read(byte);
        }
        assert_eq!(whole, single);
        String::from_utf8_lossy(&whole).into_owned()
    }

    #[test]
    fn a_bare_line_feed_is_refused_in_heads_and_is_nobodys_business_behind_them() {
        let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let posts = [
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n{\n}\n",
            "POST / HTTP/1.1\r\nTRANSFER-ENCODING: chunked\r\n\r\n1\n",
        ];
        for right in [get, &get.repeat(3), posts[0], posts[1]] {
            assert_eq!(seen(right), right);
        }
        for (sent, expected) in [
            ("GET / HTTP/1.1\nHost: a\r\n", "GET / HTTP/1.1\0Host: a\r\n"),
            ("GET / HTTP/1.1\r\nHost: a\nX: b\n", "GET / HTTP/1.1\r\nHost: a\0X: b\n"),
            ("GET / HTTP/1.1\r\nHost: a\r\n\n", "GET / HTTP/1.1\r\nHost: a\r\n\0"),
        ] {
            assert_eq!(seen(sent), expected);
        }
        let second = format!("{get}GET / HTTP/1.1\nHost: a\r\n\r\n");
        assert_eq!(seen(&second).find('\0'), Some(get.len() + 14));
    }
}
