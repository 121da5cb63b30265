//! Writes events as structured `CloudEvents` straight into a reusable buffer.

use std::io::Write as _;

use chrono::DateTime;

use crate::{random::Random, words::Words};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// 128 bits shown as a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uuid(u64, u64);

impl Uuid {
    /// Version 4: all chance.
    pub const fn random(high: u64, low: u64) -> Self {
        Self((high & !0xf000) | 0x4000, (low & !(0b11 << 62)) | (0b10 << 62))
    }

    /// Version 7: begins with the time (RFC 9562), so ids sort as they were made.
    pub const fn sortable(time: i64, random: &mut Random) -> Self {
        let millis = (time / 1_000).cast_unsigned();
        let chance = random.next();
        Self(
            (millis << 16) | 0x7000 | (chance & 0xfff),
            (random.next() >> 2) | (0b10 << 62),
        )
    }

    pub fn text(self) -> [u8; 36] {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.0.to_be_bytes());
        bytes[8..].copy_from_slice(&self.1.to_be_bytes());
        let mut out = [b'-'; 36];
        let mut at = 0;
        for byte in bytes {
            if matches!(at, 8 | 13 | 18 | 23) {
                at += 1;
            }
            out[at] = HEX[usize::from(byte >> 4)];
            out[at + 1] = HEX[usize::from(byte & 15)];
            at += 2;
        }
        out
    }
}

/// Renders times, remembering the calendar date of the last one.
#[derive(Clone, Debug)]
pub struct Calendar {
    day: i64,
    date: [u8; 10],
}

impl Calendar {
    pub const fn new() -> Self {
        Self {
            day: 0,
            date: *b"1970-01-01",
        }
    }

    /// Appends an RFC 3339 time in UTC with three or six decimals.
    fn write(&mut self, micros: i64, decimals: usize, out: &mut Vec<u8>) {
        let day = micros.div_euclid(MICROS_PER_DAY);
        if day != self.day {
            let date = DateTime::from_timestamp(day * 86_400, 0).unwrap_or_default();
            let text = date.format("%Y-%m-%d").to_string();
            if let Ok(date) = text.as_bytes().try_into() {
                self.day = day;
                self.date = date;
            }
        }
        let rest = micros.rem_euclid(MICROS_PER_DAY);
        out.extend_from_slice(&self.date);
        let mut text = *b"T00:00:00.000000";
        let mut put = |at: usize, digits: usize, mut value: i64| {
            for place in (at..at + digits).rev() {
                text[place] = DIGITS[usize::try_from(value % 10).unwrap_or(0)];
                value /= 10;
            }
        };
        put(1, 2, rest / 3_600_000_000);
        put(4, 2, rest / 60_000_000 % 60);
        put(7, 2, rest / 1_000_000 % 60);
        put(10, 6, rest % 1_000_000);
        out.extend_from_slice(&text[..10 + decimals]);
        out.push(b'Z');
    }
}

const DIGITS: &[u8; 10] = b"0123456789";

/// One event being written: its envelope, then field after field of its data.
pub struct Writer<'a> {
    pub out: &'a mut Vec<u8>,
    pub calendar: &'a mut Calendar,
    pub words: &'a Words,
    pub random: &'a mut Random,
}

impl Writer<'_> {
    /// Begins the event and its data with the organization.
    pub fn open(&mut self, event_type: &str, time: i64, organization: &str) {
        let id = Uuid::sortable(time, self.random);
        self.raw(b"{\"specversion\":\"1.0\",\"id\":\"");
        self.raw(&id.text());
        self.raw(b"\",\"source\":\"/agents\",\"type\":\"");
        self.raw(event_type.as_bytes());
        self.raw(b"\",\"time\":\"");
        self.calendar.write(time, 6, self.out);
        self.raw(b"\",\"datacontenttype\":\"application/json\",\"data\":{\"orgId\":\"");
        self.raw(organization.as_bytes());
        self.raw(b"\"");
    }

    pub fn close(&mut self) {
        self.raw(b"}}");
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn name(&mut self, name: &str) {
        self.raw(b",\"");
        self.raw(name.as_bytes());
        self.raw(b"\":");
    }

    /// A string that needs no escaping.
    pub fn string(&mut self, name: &str, value: &str) {
        self.name(name);
        self.raw(b"\"");
        self.raw(value.as_bytes());
        self.raw(b"\"");
    }

    /// JSON as it is.
    pub fn json(&mut self, name: &str, json: &str) {
        self.name(name);
        self.raw(json.as_bytes());
    }

    pub fn uuid(&mut self, name: &str, value: Uuid) {
        self.name(name);
        self.raw(b"\"");
        self.raw(&value.text());
        self.raw(b"\"");
    }

    pub fn number(&mut self, name: &str, value: impl std::fmt::Display) {
        self.name(name);
        // Writing to a Vec cannot fail.
        let _ = write!(self.out, "{value}");
    }

    pub fn boolean(&mut self, name: &str, value: bool) {
        self.name(name);
        self.raw(if value { b"true" } else { b"false" });
    }

    /// A time in milliseconds, from microseconds.
    pub fn time(&mut self, name: &str, micros: i64) {
        self.name(name);
        self.raw(b"\"");
        self.calendar.write(micros, 3, self.out);
        self.raw(b"\"");
    }

    /// A string of words.
    pub fn text(&mut self, name: &str, chars: u32) {
        self.name(name);
        self.quoted_words(chars);
    }

    fn quoted_words(&mut self, chars: u32) {
        self.raw(b"\"");
        self.words.text(self.random, chars as usize, self.out);
        self.raw(b"\"");
    }

    /// Nested JSON of about `bytes` bytes.
    pub fn payload(&mut self, name: &str, bytes: u32) {
        self.name(name);
        let end = self.out.len() + bytes as usize;
        self.raw(b"{\"query\":");
        self.quoted_words((bytes / 4).clamp(1, 200));
        let mut count = 0;
        self.raw(b",\"items\":[");
        loop {
            if count > 0 {
                self.raw(b",");
            }
            let amount = self.random.below(10_000_000);
            let rank = self.random.below(100);
            let _ = write!(
                self.out,
                "{{\"rank\":{rank},\"amount\":{}.{:02},\"exact\":{},\"note\":",
                amount / 100,
                amount % 100,
                rank.is_multiple_of(3),
            );
            let left = u32::try_from(end.saturating_sub(self.out.len())).unwrap_or(0);
            self.quoted_words(left.saturating_sub(20).clamp(1, 160));
            self.raw(b"}");
            count += 1;
            if self.out.len() + 20 >= end {
                break;
            }
        }
        self.raw(b"],\"next\":null}");
    }
}
