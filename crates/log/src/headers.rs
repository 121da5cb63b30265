//! Headers of records: any producer may send a name that is not UTF-8, and rdkafka panics when such a header is read.

use std::panic::{self, AssertUnwindSafe, catch_unwind};

use rdkafka::message::{Header, Headers};

/// A header: its name and its value.
pub type RecordHeader<'a> = (&'a str, Option<&'a [u8]>);

/// A header whose name is not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name of a header is not UTF-8")]
pub struct UnreadableHeader;

/// The headers of a record in their order.
///
/// `headers(message.headers())` fits: a record without any has none. `.flatten()` passes over the unreadable ones,
/// `.collect::<Result<_, _>>()` refuses the record.
pub fn headers<H: Headers>(headers: Option<&H>) -> impl Iterator<Item = Result<RecordHeader<'_>, UnreadableHeader>> {
    headers.into_iter().flat_map(|headers| {
        (0..headers.count()).map(|index| {
            let header = catch_unwind(AssertUnwindSafe(|| headers.get(index)));
            header.map_or(Err(UnreadableHeader), |Header { key, value }| Ok((key, value)))
        })
    })
}

/// Silences what rdkafka's panic about a header prints, for the rest of the process: [`headers()`] catches the panic, and
/// whoever reads the record reports it. Every other panic is printed as before.
pub fn silence_header_panics() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let of_rdkafka = panic
            .location()
            .is_some_and(|at| at.file().contains("rdkafka") && at.file().ends_with("message.rs"));
        if !of_rdkafka {
            print(panic);
        }
    }));
}

#[cfg(test)]
mod tests {
    use rdkafka::message::OwnedHeaders;

    use super::*;

    /// As rdkafka's own: reading the second header panics.
    struct SecondUnreadable;

    impl Headers for SecondUnreadable {
        fn count(&self) -> usize {
            3
        }

        #[expect(clippy::panic, reason = "as rdkafka does")]
        fn try_get(&self, index: usize) -> Option<Header<'_, &[u8]>> {
            match index {
                0 => Some(Header {
                    key: "a",
                    value: Some(b"1"),
                }),
                1 => panic!("not UTF-8"),
                _ => Some(Header { key: "c", value: None }),
            }
        }

        fn try_get_as<V>(&self, _: usize) -> Option<Result<Header<'_, &V>, V::Error>>
        where
            V: rdkafka::message::FromBytes + ?Sized,
        {
            None
        }
    }

    #[test]
    fn an_unreadable_header_takes_no_other_with_it() {
        let all: Vec<_> = headers(Some(&SecondUnreadable)).collect();
        assert_eq!(
            all,
            [Ok(("a", Some(&b"1"[..]))), Err(UnreadableHeader), Ok(("c", None))]
        );
    }

    #[test]
    fn a_record_without_headers_has_none() {
        assert_eq!(headers::<OwnedHeaders>(None).count(), 0);
    }
}
