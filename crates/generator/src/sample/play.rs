//! Plays a scene: what of it happens when, including what is delegated to another agent, and how it is liked.

use recap_log::Topic;

use super::{
    Planner,
    cast::{Cast, Seat},
    scenes::{Call, Scene, Turn},
    slots::Slots,
    write::Said,
};
use crate::{
    random::{Random, derive},
    render::Uuid,
};

const SECOND: i64 = 1_000_000;
/// Levels of conversations below a user's.
const DEEPEST: u32 = 3;
/// A part of 1 of what is handed on is worth a conversation of its own.
const DELEGATED: f64 = 0.55;
const RATED: f64 = 0.36;
const COMMENTED: f64 = 0.6;
/// A call that may fail does so with this chance, and in an outage.
const FAILS: (f64, f64) = (0.055, 0.6);
const DELETED: f64 = 0.006;
const ATTACHED: f64 = 0.07;

/// A conversation being played.
struct Played<'a> {
    scene: &'static Scene,
    seat: Seat,
    slots: &'a Slots,
    id: Uuid,
    serial: u64,
    depth: u32,
    now: i64,
    messages: u64,
    calls: u64,
    /// Something failed and stayed so.
    failed: bool,
    random: Random,
}

impl Planner {
    /// Plays a scene that a user begins, chosen by chance.
    pub(super) fn play(&mut self, begun: i64) {
        let mut random = Random::new(derive(self.seed, 6, self.serial));
        let seat = Cast::random_seat(&mut random);
        let team = super::scenes::TEAMS[Cast::random_team(seat.organization, &mut random)];
        // Some questions are asked more often.
        let scene = &team[random.index(team.len()).min(random.index(team.len()))];
        let slots = Slots::new(&mut random);
        self.play_scene(scene, seat, &slots, None, begun);
    }

    /// Plays a scene; gives the time of its end.
    fn play_scene(
        &mut self,
        scene: &'static Scene,
        seat: Seat,
        slots: &Slots,
        parent: Option<(Uuid, u32)>,
        begun: i64,
    ) -> i64 {
        self.serial += 1;
        let serial = self.serial;
        let id = Uuid::random(derive(self.seed, 3, serial), derive(self.seed, 4, serial));
        let mut played = Played {
            scene,
            seat,
            slots,
            id,
            serial,
            depth: parent.map_or(0, |(_, depth)| depth + 1),
            now: begun,
            messages: 0,
            calls: 0,
            failed: false,
            random: Random::new(derive(self.seed, 5, serial)),
        };
        self.announce(begun, seat, scene.role, id, parent.map(|(id, _)| id));
        let most = scene.turns.len();
        // Most conversations go to their end, some stop early.
        let turns = if played.depth > 0 {
            most
        } else {
            (1 + played.random.index(most)).max(1 + played.random.index(most))
        };
        for (index, turn) in scene.turns[..turns].iter().enumerate() {
            self.play_turn(&mut played, index, turn);
            played.now += pause(&mut played.random, 12, 160);
        }
        self.rate(&mut played);
        if played.random.chance(DELETED) {
            let later = played.now + pause(&mut played.random, 600, 7_200);
            self.event(later, seat, Topic::Conversations, "conversation.deleted", id, |_| ());
        }
        played.now
    }

    fn play_turn(&mut self, played: &mut Played<'_>, index: usize, turn: &Turn) {
        let question = if index == 0 {
            played.random.pick(played.scene.openings)
        } else {
            turn.user
        };
        let attachments = u64::from(index == 0 && played.depth == 0 && played.random.chance(ATTACHED));
        self.say(played, question, None, attachments);
        played.now += pause(&mut played.random, 1, 3);
        let mut answered = true;
        for call in turn.calls {
            answered &= self.play_call(played, call);
        }
        if let Some(scene) = turn
            .delegates
            .filter(|_| played.depth < DEEPEST && played.random.chance(DELEGATED))
        {
            let parent = Some((played.id, played.depth));
            played.now = self.play_scene(scene, played.seat, played.slots, parent, played.now) + SECOND / 2;
        }
        played.now += pause(&mut played.random, 1, 7);
        played.failed |= !answered;
        let answer = if answered { turn.assistant } else { played.scene.sorry };
        // Models read everything that was said before, and what tools answered.
        let read = 700 + 1_100 * played.messages + 650 * played.calls + played.random.below(1_800);
        let written = 20 + answer.len() as u64 / 3 + played.random.below(260);
        self.say(played, answer, Some((read, written)), 0);
    }

    /// Calls a tool, and most often again when it fails; whether it answered in the end.
    fn play_call(&mut self, played: &mut Played<'_>, call: &Call) -> bool {
        let outage = self.outage.lasts_at(played.now);
        let chance = if outage { FAILS.1 } else { FAILS.0 };
        for _ in 0..2 {
            played.calls += 1;
            let error = call.error.filter(|_| played.random.chance(chance));
            let (least, most) = call.milliseconds;
            let slower = if error.is_some() { 4 } else { 1 };
            let took = i64::from(least + played.random.below_u32(most - least)) * 1_000 * slower;
            let number = (played.serial << 8) | played.calls;
            let tool_call = Uuid::random(derive(self.seed, 7, number), derive(self.seed, 8, number));
            let (begun, slots) = (played.now, played.slots);
            let message = message_id(self.seed, played.serial, played.messages);
            self.event(
                begun,
                played.seat,
                Topic::ToolCalls,
                "tool_call.started",
                played.id,
                |out| {
                    out.uuid("toolCallId", tool_call);
                    out.string("toolName", call.tool);
                    out.json("args", &slots.fill(call.args));
                    out.uuid("messageId", message);
                    out.time("startedAt", begun);
                },
            );
            played.now += took;
            let ended = played.now;
            self.event(
                ended,
                played.seat,
                Topic::ToolCalls,
                "tool_call.finished",
                played.id,
                |out| {
                    out.uuid("toolCallId", tool_call);
                    match error {
                        Some(error) => out.json("error", &slots.fill(error)),
                        None => out.json("result", &slots.fill(call.result)),
                    }
                    out.time("finishedAt", ended);
                },
            );
            played.now += pause(&mut played.random, 0, 2) + SECOND / 5;
            if error.is_none() {
                return true;
            }
        }
        false
    }

    fn say(&mut self, played: &mut Played<'_>, text: &str, tokens: Option<(u64, u64)>, attachments: u64) {
        played.messages += 1;
        let model = self.cast.model(played.serial, played.scene.role);
        let finish_reason = if played.random.chance(0.03) { "length" } else { "stop" };
        let said = Said {
            message: message_id(self.seed, played.serial, played.messages),
            text: played.slots.fill(text),
            tokens,
            model,
            finish_reason,
            attachments,
        };
        self.write_message(played.now, played.seat, played.scene.role, played.id, &said);
    }

    fn rate(&mut self, played: &mut Played<'_>) {
        if played.depth > 0 || !played.random.chance(RATED) {
            return;
        }
        let approval = if played.failed {
            24
        } else {
            played.scene.role.approval()
        };
        let helpful = played.random.below(100) < approval;
        let comments = if helpful {
            played.scene.comments.pleased
        } else {
            played.scene.comments.displeased
        };
        let comment = played.random.chance(COMMENTED).then(|| played.random.pick(comments));
        let at = played.now + pause(&mut played.random, 2, 90);
        let message = message_id(self.seed, played.serial, played.messages);
        let feedback = Uuid::random(
            derive(self.seed, 9, played.serial),
            derive(self.seed, 10, played.serial),
        );
        let user = self.cast.person(played.seat).user_id;
        self.event(
            at,
            played.seat,
            Topic::Feedback,
            "feedback.submitted",
            played.id,
            |out| {
                out.uuid("feedbackId", feedback);
                out.boolean("helpful", helpful);
                if let Some(comment) = comment {
                    out.string("comment", comment);
                }
                out.uuid("messageId", message);
                out.string("userId", &user);
                out.time("createdAt", at);
            },
        );
    }
}

/// Ids of messages follow from their conversation.
fn message_id(seed: u64, serial: u64, message: u64) -> Uuid {
    let number = (serial << 8) | message;
    Uuid::random(derive(seed, 12, number), derive(seed, 13, number))
}

/// A time between two numbers of seconds, in microseconds.
fn pause(random: &mut Random, least: u64, most: u64) -> i64 {
    ((least * 1_000_000) + random.below((most - least) * 1_000_000)).cast_signed()
}
