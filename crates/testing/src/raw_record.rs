//! One record sent as bytes in Kafka's own protocol: what client libraries refuse to send, and other clients do not.

use std::io;

use crate::wire::{ask, check, length};

/// A record for one partition, its header names not necessarily UTF-8.
#[derive(Debug, Clone, Copy)]
pub struct RawRecord<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition; the broker asked must lead it.
    pub partition: i32,
    /// The key.
    pub key: &'a [u8],
    /// The value.
    pub value: &'a [u8],
    /// Headers in their order.
    pub headers: &'a [(&'a [u8], &'a [u8])],
    /// Milliseconds since 1970.
    pub timestamp: i64,
}

impl RawRecord<'_> {
    /// Sends it, and waits for the acknowledgement.
    pub(crate) async fn publish(&self, broker: &str) -> io::Result<()> {
        let request = self.request();
        let response = ask(broker, &request).await?;
        // Correlation id, one topic with its name, one partition with its number: then comes its error code.
        check(&response, 4 + 4 + 2 + self.topic.len() + 4 + 4)
    }

    /// A Produce request, version 3.
    fn request(&self) -> Vec<u8> {
        let batch = self.batch();
        let mut bytes = Vec::new();
        let mut put = |piece: &[u8]| bytes.extend_from_slice(piece);
        // Produce, version 3, correlation id, no client id, no transaction, acknowledged by all, within 30 s.
        put(&[0, 0, 0, 3]);
        put(&1_i32.to_be_bytes());
        put(&(-1_i16).to_be_bytes());
        put(&(-1_i16).to_be_bytes());
        put(&(-1_i16).to_be_bytes());
        put(&30_000_i32.to_be_bytes());
        put(&1_i32.to_be_bytes());
        put(&u16::try_from(self.topic.len()).unwrap_or_default().to_be_bytes());
        put(self.topic.as_bytes());
        put(&1_i32.to_be_bytes());
        put(&self.partition.to_be_bytes());
        put(&length(&batch).to_be_bytes());
        put(&batch);
        bytes
    }

    /// A record batch of version 2 that holds this record alone.
    fn batch(&self) -> Vec<u8> {
        let mut checked = Vec::new();
        let mut put = |piece: &[u8]| checked.extend_from_slice(piece);
        // No compression, last offset 0, both timestamps, no idempotent producer, one record.
        put(&0_i16.to_be_bytes());
        put(&0_i32.to_be_bytes());
        put(&self.timestamp.to_be_bytes());
        put(&self.timestamp.to_be_bytes());
        put(&(-1_i64).to_be_bytes());
        put(&(-1_i16).to_be_bytes());
        put(&(-1_i32).to_be_bytes());
        put(&1_i32.to_be_bytes());
        put(&self.record());
        let mut batch = Vec::new();
        let mut put = |piece: &[u8]| batch.extend_from_slice(piece);
        // Base offset; the length of all that follows; leader epoch and magic.
        put(&0_i64.to_be_bytes());
        put(&(length(&checked) + 4 + 1 + 4).to_be_bytes());
        put(&(-1_i32).to_be_bytes());
        put(&[2]);
        put(&crc32c(&checked).to_be_bytes());
        put(&checked);
        batch
    }

    fn record(&self) -> Vec<u8> {
        // No attributes, no difference to the batch's timestamp and offset.
        let mut body = vec![0, 0, 0];
        prefixed(&mut body, self.key);
        prefixed(&mut body, self.value);
        varint(&mut body, self.headers.len());
        for (name, value) in self.headers {
            prefixed(&mut body, name);
            prefixed(&mut body, value);
        }
        let mut record = Vec::new();
        prefixed(&mut record, &body);
        record
    }
}

fn prefixed(bytes: &mut Vec<u8>, piece: &[u8]) {
    varint(bytes, piece.len());
    bytes.extend_from_slice(piece);
}

/// Zigzag, as Protocol Buffers have it; lengths are never negative.
fn varint(bytes: &mut Vec<u8>, length: usize) {
    let mut left = length << 1;
    while left >= 0x80 {
        bytes.push(left.to_le_bytes()[0] | 0x80);
        left >>= 7;
    }
    bytes.push(left.to_le_bytes()[0]);
}

/// CRC-32C (Castagnoli), bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::crc32c;

    #[test]
    fn the_checksum_is_that_of_rfc_3720() {
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }
}
