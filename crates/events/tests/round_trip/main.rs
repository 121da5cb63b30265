//! An event written as JSON, in any order, spacing and spelling, is read back as it was.

mod events;
mod spelling;

use events::event;
use proptest::prelude::*;
use recap_events::{Decoded, decode};
use spelling::spelling;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_written_event_is_read_back(event in event(), spelling in spelling()) {
        let text = spelling.event(&event);
        let structured = decode(Some(text.as_bytes()), std::iter::empty(), None);
        prop_assert_eq!(structured, Decoded::Event(event.clone()), "{}", text);

        let data = spelling.data(&event);
        let time = spelling::rfc3339(event.time);
        let headers = [
            ("ce_id", Some(event.id.as_bytes())),
            ("ce_type", Some(event.event_type().as_str().as_bytes())),
            ("ce_time", Some(time.as_bytes())),
        ];
        let binary = decode(Some(data.as_bytes()), headers.into_iter(), None);
        prop_assert_eq!(binary, Decoded::Event(event.clone()), "{}", data);
    }
}
