#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use recap_events::{Decoded, Event, Micros, decode};
use recap_generator::{Config, Log};
use recap_summary::Delta;

use super::BatchBuilder;
use crate::{AgentWrite, Base, Batch, ConversationKey, Entry, UserWrite, batch::Revision};

/// What rows hold: the joined states with their payloads, and the greatest revisions of profiles.
#[derive(Debug, Default, PartialEq)]
struct Rows {
    conversations: BTreeMap<ConversationKey, Delta>,
    revisions: BTreeMap<ConversationKey, i64>,
    users: BTreeMap<String, UserWrite>,
    agents: BTreeMap<String, AgentWrite>,
}

impl Rows {
    /// Does what a flush does, and leaves the entries as a flush leaves them.
    fn write(&mut self, batch: &mut Batch) {
        for entry in &mut batch.conversations {
            let row = self.conversations.entry(entry.key.clone()).or_default();
            let revision = self.revisions.entry(entry.key.clone()).or_insert(0);
            match entry.base {
                Base::Revision(based_on) => assert_eq!(based_on, *revision, "nobody else writes"),
                Base::Unknown | Base::Absent => {}
            }
            row.merge(entry.delta.clone());
            if entry.base != Base::Unknown {
                assert_eq!(row.state, entry.delta.state, "a state with a base is whole");
            }
            *revision += 1;
            entry.delta.state = row.state.clone();
            entry.delta.state.mark_clean();
            entry.delta.payloads.clear();
            entry.base = Base::Revision(*revision);
        }
        keep(&mut self.users, std::mem::take(&mut batch.users));
        keep(&mut self.agents, std::mem::take(&mut batch.agents));
    }

    /// What is shown: neither superseded payloads nor the number of writes.
    fn shown(mut self) -> Self {
        for row in self.conversations.values_mut() {
            row.payloads.retain_current(&row.state);
        }
        self.revisions.clear();
        self
    }
}

fn keep<W: Revision<Owner: std::fmt::Debug>>(rows: &mut BTreeMap<String, W>, writes: Vec<W>) {
    for write in writes {
        let owner = format!("{:?}", write.owner());
        if rows.get(&owner).is_none_or(|held| held.order() < write.order()) {
            rows.insert(owner, write);
        }
    }
}

fn log(seed: u64, events: u64) -> Vec<Vec<u8>> {
    Log::new(Config::small(seed, events))
        .iter()
        .map(|record| record.value)
        .collect()
}

fn event(value: &[u8]) -> Event<'_> {
    match decode(Some(value), std::iter::empty(), None) {
        Decoded::Event(event) => event,
        other => panic!("not an event: {other:?}"),
    }
}

/// The rows of events folded without a builder.
fn model(values: &[Vec<u8>]) -> Rows {
    let mut rows = Rows::default();
    for event in values.iter().map(|value| event(value)) {
        let (org, id, time) = (&*event.org_id, &*event.id, event.time);
        match &event.body {
            recap_events::Body::Conversation {
                conversation_id,
                change,
            } => {
                let key = ConversationKey::new(org, &**conversation_id);
                rows.conversations.entry(key).or_default().apply(id, time, change);
            }
            recap_events::Body::User { user_id, profile } => {
                let write = UserWrite::new(org, user_id, id, time, profile.as_ref());
                keep(&mut rows.users, vec![write]);
            }
            recap_events::Body::Agent { agent_id, profile } => {
                keep(
                    &mut rows.agents,
                    vec![AgentWrite::new(org, *agent_id, id, time, profile)],
                );
            }
        }
    }
    rows.shown()
}

/// The estimate, added up from what a batch holds.
fn bytes(batch: &Batch) -> usize {
    let entries = batch.conversations.iter();
    let entries: usize = entries.map(|entry| Entry::memory_bytes(&entry.key, &entry.delta)).sum();
    let users: usize = batch.users.iter().map(Revision::memory_bytes).sum();
    let agents: usize = batch.agents.iter().map(Revision::memory_bytes).sum();
    entries + users + agents
}

/// What happens to a projector's worker, or to a rebuild, between two events.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The next event, for one of several builders.
    Event(usize),
    /// A builder's batch is written.
    Write(usize),
    /// A batch is taken to be written.
    Begin,
    /// The batch that was taken is written.
    Commit,
    /// The states kept are forgotten.
    Forget,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        40 => (0..3_usize).prop_map(Step::Event),
        2 => (0..3_usize).prop_map(Step::Write),
        2 => Just(Step::Begin),
        2 => Just(Step::Commit),
        1 => Just(Step::Forget),
    ];
    prop::collection::vec(step, 1..400)
}

fn events_in(steps: &[Step]) -> u64 {
    steps.iter().filter(|step| matches!(step, Step::Event(_))).count() as u64
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However events are split into builders and batches, the rows are the same.
    #[test]
    fn any_split_gives_the_same_rows(seed in 0..1_000_u64, steps in steps()) {
        let values = log(seed, events_in(&steps));
        let mut rest = values.iter();
        let mut builders: [BatchBuilder; 3] = Default::default();
        let mut rows = Rows::default();
        for step in steps {
            match step {
                Step::Event(at) => builders[at].add(&event(rest.next().unwrap())),
                Step::Write(at) => rows.write(&mut std::mem::take(&mut builders[at]).build()),
                Step::Begin | Step::Commit | Step::Forget => {}
            }
        }
        for builder in builders {
            rows.write(&mut builder.build());
        }
        prop_assert_eq!(rows.shown(), model(&values));
    }

    /// The projector's use: states are kept between batches, and events come in while a batch is written.
    #[test]
    fn states_kept_between_batches_give_the_same_rows(seed in 0..1_000_u64, steps in steps()) {
        let values = log(seed, events_in(&steps));
        let mut rest = values.iter();
        let mut rows = Rows::default();
        let mut kept: BTreeMap<ConversationKey, (Delta, Base)> = BTreeMap::new();
        let mut builder = BatchBuilder::default();
        let mut in_flight: Option<Batch> = None;
        for step in steps.into_iter().chain([Step::Commit, Step::Begin, Step::Commit]) {
            match step {
                Step::Event(_) => builder.add_onto(&event(rest.next().unwrap()), |key| kept.remove(key)),
                Step::Begin | Step::Write(_) if in_flight.is_none() => {
                    let held = builder.bytes();
                    let mut unchanged = Vec::new();
                    let batch = std::mem::take(&mut builder).build_changed(|entry| unchanged.push(entry));
                    let back: usize = unchanged.iter().map(|entry| Entry::memory_bytes(&entry.key, &entry.delta)).sum();
                    prop_assert_eq!(held, bytes(&batch) + back);
                    for entry in unchanged {
                        prop_assert_eq!(&entry.delta.state, &rows.conversations[&entry.key].state);
                        prop_assert!(entry.delta.payloads.is_empty());
                        kept.insert(entry.key, (entry.delta, entry.base));
                    }
                    in_flight = Some(batch);
                }
                Step::Commit => if let Some(mut batch) = in_flight.take() {
                    rows.write(&mut batch);
                    for entry in batch.conversations {
                        if let Some(entry) = builder.join_written(entry) {
                            kept.insert(entry.key, (entry.delta, entry.base));
                        }
                    }
                },
                Step::Forget => kept.clear(),
                Step::Begin | Step::Write(_) => {}
            }
        }
        prop_assert_eq!(rows.shown(), model(&values));
    }

    /// The rebuild's use: what an event changes moves from a cold builder to a hot one.
    #[test]
    fn deltas_taken_from_another_builder_give_the_same_rows(seed in 0..1_000_u64, steps in steps()) {
        let values = log(seed, events_in(&steps));
        let mut rest = values.iter();
        let mut rows = Rows::default();
        let (mut hot, mut cold) = (BatchBuilder::default(), BatchBuilder::default());
        for step in steps {
            match step {
                Step::Event(_) => hot.add_onto(&event(rest.next().unwrap()), |key| cold.take(key)),
                Step::Write(_) | Step::Begin => {
                    let (held, written) = (cold.bytes(), std::mem::replace(&mut cold, std::mem::take(&mut hot)));
                    prop_assert!(written.conversations() > 0 || written.bytes() == held);
                    let mut batch = written.build();
                    prop_assert_eq!(held, bytes(&batch));
                    rows.write(&mut batch);
                }
                Step::Commit | Step::Forget => {}
            }
        }
        rows.write(&mut cold.build());
        rows.write(&mut hot.build());
        prop_assert_eq!(rows.shown(), model(&values));
    }
}

#[test]
fn keys_of_an_organization_share_its_name() {
    let values = log(7, 500);
    let mut builder = BatchBuilder::default();
    for value in &values {
        builder.add(&event(value));
    }
    let batch = builder.build();
    let mut names: Vec<_> = batch
        .conversations
        .iter()
        .map(|entry| entry.key.org_id.as_ptr())
        .collect();
    names.sort_unstable();
    names.dedup();
    assert!(batch.conversations.len() > 20);
    assert_eq!(names.len(), 3);
}

#[test]
fn an_equal_revision_of_a_profile_is_kept_once() {
    let write = |time, event_id: &str| UserWrite::new("org", "user", event_id, Micros(time), None);
    let mut users = super::Revisions::default();
    let dropped: Vec<usize> = [write(2, "b"), write(1, "z"), write(2, "b"), write(2, "cc")]
        .into_iter()
        .map(|write| super::keep_greatest(&mut users, write))
        .collect();
    let one = write(2, "b").heap_bytes();
    assert_eq!(dropped, [0, one, one, one]);
    assert_eq!(users.into_values().collect::<Vec<_>>(), [write(2, "cc")]);
}
