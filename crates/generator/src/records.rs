//! What happens next: conversations begin, go on and end; records are held back to arrive late or twice.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use recap_log::Topic;

use crate::{
    Config, Record, World, invalid,
    random::{LongTail, Random, derive},
    render::{Calendar, Uuid, Writer},
};

mod events;

/// Levels of sub-conversations below a top-level one.
const DEEPEST: u8 = 4;

/// A conversation in flight.
#[derive(Clone, Copy, Debug)]
struct Conversation {
    id: Uuid,
    serial: u64,
    organization: u32,
    user: u32,
    agent: u32,
    parent: Option<Uuid>,
    depth: u8,
    /// Whether a `conversation.upserted` names its user, agent and parent; else its messages do.
    announced: bool,
    messages: u32,
    planned: u32,
    first_message_at: i64,
    last_message_at: i64,
    tool_calls: u32,
    open_tool_call: bool,
    feedback: u32,
    withdrawn: bool,
}

/// An event that must come before anything else does.
#[derive(Clone, Debug)]
enum Pending {
    User(u32, u32),
    Agent(u32, u32),
    Announcement(Conversation),
}

/// Reads a [`Log`](crate::Log) from its beginning; [`Records::next_into`] reuses the caller's buffers.
#[derive(Debug)]
pub struct Records {
    world: Arc<World>,
    random: Random,
    calendar: Calendar,
    lengths: LongTail,
    now: i64,
    /// Microseconds from one event to the next, on average.
    step: i64,
    emitted: u64,
    serial: u64,
    spoilt: u64,
    conversations: Vec<Conversation>,
    /// Messages still planned for the conversations in flight.
    owed: u64,
    messages_per_thousand: u64,
    pending: VecDeque<Pending>,
    /// Records to deliver later, by the place in the log from which on they are due.
    held: BTreeMap<(u64, u64), Record>,
    known_users: Vec<bool>,
    known_agents: Vec<bool>,
}

impl Records {
    pub(crate) fn new(world: Arc<World>) -> Self {
        let config = &world.config;
        Self {
            random: Random::new(derive(config.seed, 0, 0)),
            calendar: Calendar::new(),
            lengths: LongTail::with_mean(config.messages, config.messages_max),
            now: config.start,
            step: config.step.max(1),
            emitted: 0,
            serial: 0,
            spoilt: 0,
            conversations: Vec::with_capacity(config.in_flight as usize),
            owed: 0,
            messages_per_thousand: messages_per_thousand(config),
            pending: VecDeque::new(),
            held: BTreeMap::new(),
            known_users: vec![false; world.population.total_users()],
            known_agents: vec![false; world.population.total_agents()],
            world,
        }
    }

    /// Moves the log's clock to this time in Unix microseconds: `recap events` can keep it at the present.
    pub const fn set_time(&mut self, time: i64) {
        self.now = time;
    }

    /// The log's clock: the time of the last new event, in Unix microseconds.
    #[must_use]
    pub const fn time(&self) -> i64 {
        self.now
    }

    /// Replaces `record` by the next one; `false` at the end of the log.
    pub fn next_into(&mut self, record: &mut Record) -> bool {
        let config = &self.world.config;
        let events = config.events;
        let (late, twice) = (config.late_share, of_the_rest(config.duplicate_share));
        let invalid = config.invalid_share;
        while self.emitted < events {
            let left = events - self.emitted;
            let due = self
                .held
                .first_key_value()
                .is_some_and(|(&(due, _), _)| due <= self.emitted || self.held.len() as u64 >= left);
            if due && let Some((_, held)) = self.held.pop_first() {
                *record = held;
                self.emitted += 1;
                return true;
            }
            self.pass_time();
            self.happen(record);
            if self.random.chance(twice) && left > self.held.len() as u64 + 1 {
                self.hold(record.clone());
            }
            if self.random.chance(invalid) && left > self.held.len() as u64 + 1 {
                self.hold_invalid();
            }
            if self.random.chance(late) {
                self.hold(std::mem::take(record));
                continue;
            }
            self.emitted += 1;
            return true;
        }
        false
    }

    /// Delivers a record after up to twice as many others as there are conversations in flight: far enough that records
    /// of its own conversation overtake it.
    fn hold(&mut self, record: Record) {
        let furthest = u64::from(self.world.config.in_flight.max(4)) * 2;
        let distance = 1 + self.random.below(furthest);
        self.hold_for(distance, record);
    }

    fn hold_for(&mut self, distance: u64, record: Record) {
        let due = self.emitted + distance;
        let unique = self.random.next();
        self.held.insert((due, unique), record);
    }

    fn hold_invalid(&mut self) {
        let mut record = Record::default();
        self.write_spare_message(&mut record);
        invalid::spoil(&mut record.value, self.spoilt);
        self.spoilt += 1;
        record.invalid = true;
        self.hold(record);
    }

    fn pass_time(&mut self) {
        self.now += 1 + self.random.below(2 * self.step.cast_unsigned()).cast_signed();
    }

    /// One new event.
    fn happen(&mut self, record: &mut Record) {
        if let Some(pending) = self.pending.pop_front() {
            match pending {
                Pending::User(organization, user) => self.write_user(organization, user, record),
                Pending::Agent(organization, agent) => {
                    self.write_agent(organization, agent, record);
                }
                Pending::Announcement(conversation) => {
                    self.write_announcement(&conversation, record);
                }
            }
            return;
        }
        if self.may_begin() {
            self.begin();
            self.happen(record);
            return;
        }
        let index = self.random.index(self.conversations.len());
        let config = &self.world.config;
        // A log without deletions is the log that it was before there were any.
        let deletions = config.deletion_share;
        if deletions > 0.0 && self.random.chance(deletions) && self.write_deletion(index, record) {
            return;
        }
        let config = &self.world.config;
        let shares = [
            config.tool_call_share,
            config.feedback_share,
            config.revision_share,
            config.lifecycle_share,
            config.profile_share,
        ];
        match self.draw(shares) {
            Some(0) => self.write_tool_call(index, record),
            Some(1) => self.write_feedback(index, record),
            Some(2) if self.conversations[index].messages > 0 => self.write_revision(index, record),
            Some(3) => self.write_lifecycle(index, record),
            Some(4) => self.write_profile_change(index, record),
            _ => self.go_on(index, record),
        }
    }

    /// The place of the share that chance hits, if any.
    fn draw(&mut self, shares: [f64; 5]) -> Option<usize> {
        let mut rest = 1.0;
        for (place, share) in shares.into_iter().enumerate() {
            if self.random.chance(share / rest) {
                return Some(place);
            }
            rest -= share;
        }
        None
    }

    /// Whether a conversation begins now: there is room, and the log is long enough for its messages.
    fn may_begin(&mut self) -> bool {
        if self.conversations.is_empty() {
            return true;
        }
        let config = &self.world.config;
        if self.conversations.len() >= config.in_flight as usize {
            return false;
        }
        let left = config.events.saturating_sub(self.emitted + self.held.len() as u64);
        let left_for_messages = u128::from(left) * u128::from(self.messages_per_thousand) / 1_000;
        let room = u128::from(self.owed) + u128::from(config.messages) <= left_for_messages;
        // One in four, so that the first conversations are under way while others begin.
        room && self.random.below(4) == 0
    }

    fn begin(&mut self) {
        self.serial += 1;
        let id = Uuid::random(
            derive(self.world.config.seed, 3, self.serial),
            derive(self.world.config.seed, 4, self.serial),
        );
        let planned = self.lengths.sample(&mut self.random);
        let parent = self.parent();
        let organization = parent.as_ref().map_or_else(
            || self.world.population.random_organization(&mut self.random),
            |parent| parent.organization,
        );
        let user = parent.as_ref().map_or_else(
            || self.world.population.random_user(organization, &mut self.random),
            |parent| parent.user,
        );
        let agent = self.world.population.random_agent(&mut self.random);
        let conversation = Conversation {
            id,
            serial: self.serial,
            organization,
            user,
            agent,
            parent: parent.as_ref().map(|parent| parent.id),
            depth: parent.map_or(0, |parent| parent.depth + 1),
            announced: self.random.chance(0.9),
            messages: 0,
            planned,
            first_message_at: 0,
            last_message_at: 0,
            tool_calls: 0,
            open_tool_call: false,
            feedback: 0,
            withdrawn: false,
        };
        self.introduce(&conversation);
        if conversation.announced {
            self.pending.push_back(Pending::Announcement(conversation));
        }
        self.owed += u64::from(planned);
        self.conversations.push(conversation);
    }

    /// Another conversation in flight for one in twenty, by default.
    fn parent(&mut self) -> Option<Conversation> {
        if self.conversations.is_empty() || !self.random.chance(self.world.config.sub_conversation_share) {
            return None;
        }
        let index = self.random.index(self.conversations.len());
        Some(self.conversations[index]).filter(|parent| parent.depth < DEEPEST)
    }

    /// Announces the user and the agent when they are seen for the first time.
    fn introduce(&mut self, conversation: &Conversation) {
        let population = &self.world.population;
        let (organization, user, agent) = (conversation.organization, conversation.user, conversation.agent);
        let known = &mut self.known_users[population.user_index(organization, user)];
        if !std::mem::replace(known, true) {
            self.pending.push_back(Pending::User(organization, user));
        }
        let known = &mut self.known_agents[population.agent_index(organization, agent)];
        if !std::mem::replace(known, true) {
            self.pending.push_back(Pending::Agent(organization, agent));
        }
    }

    /// The conversation's next message; the last one ends it.
    fn go_on(&mut self, index: usize, record: &mut Record) {
        self.write_message(index, record);
        self.owed = self.owed.saturating_sub(1);
        let conversation = &self.conversations[index];
        if conversation.messages >= conversation.planned {
            self.conversations.swap_remove(index);
        }
    }

    fn writer<'a>(&'a mut self, record: &'a mut Record, topic: Topic, key: &[u8]) -> Writer<'a> {
        record.topic = topic;
        record.time = self.now;
        record.invalid = false;
        record.key.clear();
        record.key.extend_from_slice(key);
        record.value.clear();
        Writer {
            out: &mut record.value,
            calendar: &mut self.calendar,
            words: &self.world.words,
            random: &mut self.random,
        }
    }
}

impl Iterator for Records {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let mut record = Record::default();
        self.next_into(&mut record).then_some(record)
    }
}

/// The chance of an additional record such that additional ones are this share of all.
fn of_the_rest(share: f64) -> f64 {
    share / (1.0 - share)
}

/// First messages among a thousand records: what the other shares and one announcement a conversation leave.
fn messages_per_thousand(config: &Config) -> u64 {
    let others = config.tool_call_share
        + config.feedback_share
        + config.duplicate_share
        + config.revision_share
        + config.lifecycle_share
        + config.profile_share
        + config.invalid_share;
    let messages = f64::from(config.messages);
    let share = (1.0 - others) * messages / (messages + 1.0);
    (0..1_000_u32)
        .filter(|&thousandth| f64::from(thousandth) < share * 1_000.0)
        .count() as u64
}
