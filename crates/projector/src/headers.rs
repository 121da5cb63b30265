//! Headers that rdkafka can't read: it panics on a name that is not UTF-8, and any producer may send one.

use std::panic::{self, AssertUnwindSafe, catch_unwind};

use rdkafka::message::{Header, Headers};

/// The headers whose names are UTF-8, in their order.
pub fn readable<H: Headers>(headers: &H) -> impl Iterator<Item = Header<'_, &[u8]>> {
    (0..headers.count()).filter_map(|place| catch_unwind(AssertUnwindSafe(|| headers.get(place))).ok())
}

/// Keeps what rdkafka panics about while a message is read out of the log: it is caught, and told in words of our own.
pub fn hush() {
    let told = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let of_rdkafka = panic
            .location()
            .is_some_and(|at| at.file().contains("rdkafka") && at.file().ends_with("message.rs"));
        if !of_rdkafka {
            told(panic);
        }
    }));
}
