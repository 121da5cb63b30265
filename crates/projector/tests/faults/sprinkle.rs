//! Hostile events among the others, and records without a key.

use rand::{Rng, SeedableRng, rngs::StdRng};
use recap_generator::Record;

use crate::hostile_events::{LOOK_ALIKES, TIMES, message, of_organization, tool_call};

/// Takes the key off as many records as this share of the log, and adds as many hostile events at random positions.
pub fn sprinkle(records: &mut Vec<Record>, share: f64, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut all = Vec::with_capacity(records.len());
    for (number, mut record) in records.drain(..).enumerate() {
        if random.random_bool(share) {
            record.key.clear();
        }
        all.push(record);
        if random.random_bool(share) {
            all.extend(hostile(number, &mut random));
        }
    }
    *records = all;
}

fn hostile(number: usize, random: &mut StdRng) -> Vec<Record> {
    let id = format!("h-{}", random.random_range(0..=number));
    let time = format!("2026-01-01T00:{:02}:{:02}Z", number % 60, number % 59);
    match random.random_range(0..16) {
        0 => vec![of_organization(number)],
        1 => vec![message(&id, &time, LOOK_ALIKES[number % LOOK_ALIKES.len()], "alike")],
        2 => vec![message(&id, TIMES[number % TIMES.len()], "times", "when")],
        3 => vec![message(
            "huge",
            &time,
            "huge",
            &"x".repeat(random.random_range(1..200_000)),
        )],
        4 => vec![message(&id, &time, "null", "a\\u0000b")],
        5 => {
            let depth = random.random_range(1..2_000);
            tool_call(number, &format!("{}{}", "[".repeat(depth), "]".repeat(depth))).into()
        }
        6 | 7 => tool_call(number, "{\"q\":[1e400,2.50,\"\\u0000\",null]}").into(),
        _ => vec![message(&id, &time, "giant", "hello")],
    }
}
