//! What differs from one conversation to the next of a scene: numbers, places and names that texts and tool calls share.

use crate::random::Random;

const CITIES: &[&str] = &[
    "Cologne", "Antwerp", "Lyon", "Porto", "Gdańsk", "Malmö", "Turin", "Graz", "Bristol", "Osaka",
];
const DAYS: &[&str] = &["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: &[&str] = &["January", "March", "April", "June", "September", "October", "November"];
const COMPANIES: &[&str] = &[
    "Hartmann & Söhne",
    "Vila Real",
    "Acme Logistics",
    "Fjord Seafood",
    "Okafor Textiles",
    "Tanaka Optics",
    "Brightwater",
    "Meridian Schools",
];
const SERVICES: &[&str] = &[
    "checkout-api",
    "catalog",
    "pricing",
    "mailer",
    "identity",
    "search-indexer",
];

/// The values of one conversation and of those below it.
#[derive(Debug, Clone)]
pub struct Slots {
    values: [(&'static str, String); 11],
}

impl Slots {
    pub fn new(random: &mut Random) -> Self {
        let mut number = |least: u64, most: u64| (least + random.below(most - least)).to_string();
        let order = number(40_000, 99_999);
        let seats = number(4, 120);
        let values = [
            ("amount", number(400, 38_000)),
            ("invoice", format!("R-2026-{}", number(1_000, 9_999))),
            ("order", order),
            ("pr", number(1_200, 2_900)),
            ("seats", seats),
            ("ticket", format!("OPS-{}", number(100, 999))),
            ("city", random.pick(CITIES).to_owned()),
            ("company", random.pick(COMPANIES).to_owned()),
            ("day", random.pick(DAYS).to_owned()),
            ("month", random.pick(MONTHS).to_owned()),
            ("service", random.pick(SERVICES).to_owned()),
        ];
        Self { values }
    }

    /// Writes `text` with its slots filled. A brace that begins no slot stays one: it is JSON's.
    pub fn fill(&self, text: &str) -> String {
        let mut filled = text.to_owned();
        for (name, value) in &self.values {
            let slot = format!("{{{name}}}");
            if filled.contains(&slot) {
                filled = filled.replace(&slot, value);
            }
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::scenes;

    #[test]
    fn every_text_stands_in_json_as_it_is_and_all_json_is_json() {
        let slots = Slots::new(&mut Random::new(1));
        let mut sentences = 0;
        for scene in scenes::all() {
            let comments = scene.comments.pleased.iter().chain(scene.comments.displeased);
            let turns = scene.turns.iter().flat_map(|turn| [&turn.user, &turn.assistant]);
            for text in scene.openings.iter().chain(comments).chain(turns).chain([&scene.sorry]) {
                let filled = slots.fill(text);
                let read: serde_json::Result<String> = serde_json::from_str(&format!("\"{filled}\""));
                assert_eq!(read.ok().as_deref(), Some(&*filled));
                assert!(!filled.contains('{'), "no such slot: {filled}");
                sentences += filled.matches(['.', '?', '!', '。', '？']).count();
            }
            for call in scene.turns.iter().flat_map(|turn| turn.calls) {
                for json in [Some(call.args), Some(call.result), call.error].into_iter().flatten() {
                    let filled = slots.fill(json);
                    let read: serde_json::Result<serde_json::Value> = serde_json::from_str(&filled);
                    assert!(read.is_ok_and(|value| value.is_object()), "{}: {filled}", call.tool);
                }
            }
        }
        assert!(sentences > 300, "{sentences} sentences");
    }
}
