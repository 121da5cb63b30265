//! The records of one part.

use recap_events::{ERASED_CONTENT, Millis};

use super::{
    DELETIONS,
    packed::{KIND_BITS, KIND_MASK, PackedId, read_id, read_time, split, write_time},
};
use crate::{
    Id, Stamp, StateError,
    bytes::{Reader, Writer},
    part::Part,
    record::{Content, Feedback, Message, Record, Revision, Role, ToolCall, Verdict},
    stamp::Key,
    symbols::{Symbol, Symbols},
    tokens::Tokens,
};

/// The shortest record has flags, a time and two ids.
const LEAST_RECORD: usize = 5;

/// A state is read because there is something to add.
const ROOM: usize = 4;

// Every record begins with two bytes of flags.
const ROLE_BITS: u32 = 2;
const ROLE_MASK: u16 = 3;
const MESSAGE_EVENT: u32 = ROLE_BITS + KIND_BITS;
const HAS_MICROS: u16 = 1 << 8;
const HAS_ATTACHMENTS: u16 = 1 << 11;
const HAS_FINISH_REASON: u16 = 1 << 12;
const HAS_MODEL: u16 = 1 << 13;
const OTHER_MESSAGE_FLAGS: u16 = ROLE_MASK
    | KIND_MASK << ROLE_BITS
    | KIND_MASK << MESSAGE_EVENT
    | HAS_MICROS
    | HAS_ATTACHMENTS
    | HAS_FINISH_REASON
    | HAS_MODEL;
const MESSAGE_FLAGS: u16 = OTHER_MESSAGE_FLAGS | Tokens::FLAGS;
/// Deleted: of the other flags only the ids' and the time's.
const MESSAGE_DELETED: u16 = 1 << 14;
const DELETED_FLAGS: u16 = MESSAGE_DELETED | KIND_MASK << ROLE_BITS | KIND_MASK << MESSAGE_EVENT | HAS_MICROS;
const _: () = assert!(
    Tokens::FLAGS & (OTHER_MESSAGE_FLAGS | MESSAGE_DELETED) == 0,
    "a flag has one meaning"
);

/// A half of a tool call: whether it is there, its event id's kind, whether it has microseconds.
const HALF_BITS: u32 = 1 + KIND_BITS + 1;
const HALF_THERE: u16 = 1;
const HALF_MICROS: u16 = 1 << (1 + KIND_BITS);
const TOOL_CALL_FLAGS: u16 = (1 << (KIND_BITS + 2 * HALF_BITS)) - 1;
/// A deletion follows the halves: a byte with its event id's kind and whether it has microseconds, its time and that id.
const TOOL_CALL_DELETED: u16 = 1 << (KIND_BITS + 2 * HALF_BITS);
const DELETION_MICROS: u16 = 1 << KIND_BITS;

const FEEDBACK_EVENT: u32 = KIND_BITS;
const FEEDBACK_MICROS: u16 = 1 << (2 * KIND_BITS);
const VERDICT_SHIFT: u32 = 2 * KIND_BITS + 1;
const FEEDBACK_FLAGS: u16 = (1 << (VERDICT_SHIFT + 2)) - 1;

pub(super) fn encode(writer: &mut Writer, part: &Part) {
    let (order, numbers) = dictionary(part);
    writer.length(order.len());
    for symbol in order {
        let text = part.symbols.get(symbol).unwrap_or_default();
        writer.length(text.len());
        writer.raw(text.as_bytes());
    }
    let mut millis = 0;
    writer.length(part.messages.len());
    for message in &part.messages {
        millis = write_message(writer, message, &numbers, millis);
    }
    writer.length(part.tool_calls.len());
    for call in &part.tool_calls {
        millis = write_tool_call(writer, call, millis);
    }
    writer.length(part.feedback.len());
    for feedback in &part.feedback {
        millis = write_feedback(writer, feedback, millis);
    }
}

pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Part, StateError> {
    let mut part = Part::default();
    let strings = reader.length(1)?;
    for _ in 0..strings {
        let length = reader.length(1)?;
        let text = str::from_utf8(reader.raw(length)?).map_err(|_| StateError::Corrupt("a string is not UTF-8"))?;
        part.symbols.push(text);
    }
    let mut millis = 0;
    let messages = reader.length(LEAST_RECORD)?;
    if messages > 0 {
        part.messages.reserve_exact(messages + ROOM);
    }
    for _ in 0..messages {
        let message = read_message(reader, &part.symbols, &mut millis)?;
        follows(&part.messages, &message)?;
        part.append_message(message);
    }
    let tool_calls = reader.length(LEAST_RECORD)?;
    part.tool_calls.reserve_exact(tool_calls);
    for _ in 0..tool_calls {
        let call = read_tool_call(reader, &mut millis)?;
        follows(&part.tool_calls, &call)?;
        part.append_tool_call(call);
    }
    let feedback = reader.length(LEAST_RECORD)?;
    part.feedback.reserve_exact(feedback);
    for _ in 0..feedback {
        let feedback = read_feedback(reader, &mut millis)?;
        follows(&part.feedback, &feedback)?;
        part.append_feedback(feedback);
    }
    Ok(part)
}

fn follows<R: Record>(records: &[R], next: &R) -> Result<(), StateError> {
    match records.last() {
        Some(last) if last.id() >= next.id() => Err(StateError::Corrupt("ids do not ascend")),
        _ => Ok(()),
    }
}

/// The symbols in use in the order of their first use, and for each symbol its number in that order.
fn dictionary(part: &Part) -> (Vec<Symbol>, Vec<u64>) {
    const UNUSED: u64 = u64::MAX;
    let mut order = Vec::with_capacity(part.symbols.len());
    let mut numbers = vec![UNUSED; part.symbols.len()];
    for message in &part.messages {
        let Revision::Shown(content) = &message.revision else {
            continue;
        };
        for symbol in [content.finish_reason, content.model] {
            if let Some(index) = symbol.index()
                && numbers[index] == UNUSED
            {
                numbers[index] = order.len() as u64;
                order.push(symbol);
            }
        }
    }
    (order, numbers)
}

fn write_message(writer: &mut Writer, message: &Message, numbers: &[u64], before: i64) -> i64 {
    let time = split(message.key.time);
    let id = PackedId::new(&message.id, time.0);
    let event = PackedId::new(&message.key.id, time.0);
    let flag = |there: bool, flag: u16| if there { flag } else { 0 };
    let ids = id.kind() << ROLE_BITS | event.kind() << MESSAGE_EVENT | flag(time.1 > 0, HAS_MICROS);
    let Revision::Shown(content) = &message.revision else {
        writer.require(DELETIONS);
        writer.short(ids | MESSAGE_DELETED);
        write_time(writer, time, before);
        id.write(writer);
        event.write(writer);
        return time.0;
    };
    let role = match content.role {
        Role::User => 0,
        Role::Assistant => 1,
        Role::System => 2,
        Role::Other => 3,
    };
    writer.short(
        role | ids
            | content.tokens.flags()
            | flag(content.attachments > 0, HAS_ATTACHMENTS)
            | flag(content.finish_reason != Symbol::NONE, HAS_FINISH_REASON)
            | flag(content.model != Symbol::NONE, HAS_MODEL),
    );
    write_time(writer, time, before);
    id.write(writer);
    event.write(writer);
    writer.signed(content.created_at.0.wrapping_sub(time.0));
    content.tokens.write(writer);
    if content.attachments > 0 {
        writer.number(content.attachments.into());
    }
    for symbol in [content.finish_reason, content.model] {
        if let Some(index) = symbol.index() {
            writer.number(numbers[index]);
        }
    }
    time.0
}

fn read_message(reader: &mut Reader<'_>, symbols: &Symbols, millis: &mut i64) -> Result<Message, StateError> {
    let flags = read_message_flags(reader)?;
    let has = |flag: u16| flags & flag != 0;
    let time;
    (time, *millis) = read_time(reader, has(HAS_MICROS), *millis)?;
    let id = read_id(reader, flags >> ROLE_BITS & KIND_MASK, *millis)?;
    let event = read_id(reader, flags >> MESSAGE_EVENT & KIND_MASK, *millis)?;
    let key = Key { time, id: event };
    if has(MESSAGE_DELETED) {
        return Ok(Message {
            id,
            key,
            revision: Revision::Deleted,
        });
    }
    let created_at = Millis(millis.wrapping_add(reader.signed()?));
    let tokens = Tokens::read(reader, flags)?;
    let attachments = if has(HAS_ATTACHMENTS) { reader.count()? } else { 0 };
    let mut symbol = |there: bool| {
        if !there {
            return Ok(Symbol::NONE);
        }
        let index = reader.count()?;
        if index as usize >= symbols.len() {
            return Err(StateError::Corrupt("a string is missing"));
        }
        Ok(Symbol::from_index(index))
    };
    Ok(Message {
        id,
        key,
        revision: Revision::Shown(Content {
            created_at,
            role: match flags & ROLE_MASK {
                0 => Role::User,
                1 => Role::Assistant,
                2 => Role::System,
                _ => Role::Other,
            },
            tokens,
            attachments,
            finish_reason: symbol(has(HAS_FINISH_REASON))?,
            model: symbol(has(HAS_MODEL))?,
        }),
    })
}

fn write_tool_call(writer: &mut Writer, call: &ToolCall, before: i64) -> i64 {
    let mut millis = before;
    let mut packed = |half: &Option<Stamp>| {
        half.as_ref().map(|stamp| {
            let time = split(stamp.time);
            let before = std::mem::replace(&mut millis, time.0);
            (time, before)
        })
    };
    let halves = [
        (&call.started, packed(&call.started)),
        (&call.finished, packed(&call.finished)),
    ];
    let deletion = call.deleted.as_ref().map(|stamp| {
        let time = split(stamp.time);
        let before = std::mem::replace(&mut millis, time.0);
        (PackedId::new(&stamp.event_id, time.0), time, before)
    });
    let id = PackedId::new(&call.id, millis);
    let mut flags = id.kind();
    if deletion.is_some() {
        writer.require(DELETIONS);
        flags |= TOOL_CALL_DELETED;
    }
    let mut shift = KIND_BITS;
    for (half, packed) in &halves {
        if let (Some(stamp), Some((time, _))) = (half, packed) {
            let micros = if time.1 > 0 { HALF_MICROS } else { 0 };
            let kind = PackedId::new(&stamp.event_id, time.0).kind();
            flags |= (HALF_THERE | kind << 1 | micros) << shift;
        }
        shift += HALF_BITS;
    }
    writer.short(flags);
    for (half, packed) in &halves {
        if let (Some(stamp), Some((time, before))) = (half, packed) {
            write_time(writer, *time, *before);
            PackedId::new(&stamp.event_id, time.0).write(writer);
            writer.fixed(stamp.content);
        }
    }
    if let Some((event, time, before)) = deletion {
        let micros = if time.1 > 0 { DELETION_MICROS } else { 0 };
        writer.byte((event.kind() | micros).to_le_bytes()[0]);
        write_time(writer, time, before);
        event.write(writer);
    }
    id.write(writer);
    millis
}

fn read_tool_call(reader: &mut Reader<'_>, millis: &mut i64) -> Result<ToolCall, StateError> {
    let known = TOOL_CALL_FLAGS | since_deletions(reader, TOOL_CALL_DELETED);
    let flags = read_flags(reader, known)?;
    if flags & (HALF_THERE << KIND_BITS | HALF_THERE << (KIND_BITS + HALF_BITS) | TOOL_CALL_DELETED) == 0 {
        return Err(StateError::Corrupt("a tool call without halves"));
    }
    let mut half = |flags: u16| {
        if flags & HALF_THERE == 0 {
            return Ok(None);
        }
        let time;
        (time, *millis) = read_time(reader, flags & HALF_MICROS != 0, *millis)?;
        Ok(Some(Stamp {
            time,
            event_id: read_id(reader, flags >> 1 & KIND_MASK, *millis)?,
            content: reader.fixed()?,
        }))
    };
    let (started, finished) = (half(flags >> KIND_BITS)?, half(flags >> (KIND_BITS + HALF_BITS))?);
    let deleted = (flags & TOOL_CALL_DELETED != 0)
        .then(|| read_deletion(reader, millis))
        .transpose()?;
    let is_erased = |half: &Option<Stamp>| half.is_some() && half.as_ref() <= deleted.as_deref();
    if is_erased(&started) || is_erased(&finished) {
        return Err(StateError::Corrupt("a half that is deleted"));
    }
    Ok(ToolCall {
        started,
        finished,
        deleted,
        id: read_id(reader, flags & KIND_MASK, *millis)?,
    })
}

fn read_deletion(reader: &mut Reader<'_>, millis: &mut i64) -> Result<Box<Stamp>, StateError> {
    let flags = u16::from(reader.byte()?);
    if flags & !(KIND_MASK | DELETION_MICROS) != 0 {
        return Err(StateError::Corrupt("an unknown flag"));
    }
    let time;
    (time, *millis) = read_time(reader, flags & DELETION_MICROS != 0, *millis)?;
    Ok(Box::new(Stamp {
        time,
        event_id: read_id(reader, flags & KIND_MASK, *millis)?,
        content: ERASED_CONTENT,
    }))
}

fn write_feedback(writer: &mut Writer, feedback: &Feedback, before: i64) -> i64 {
    let stamp = &feedback.stamp;
    let time = split(stamp.time);
    let id = PackedId::new(&feedback.id, time.0);
    let event = PackedId::new(&stamp.event_id, time.0);
    let verdict = match feedback.verdict {
        Verdict::NotHelpful => 0,
        Verdict::Helpful => 1,
        Verdict::Withdrawn => 2,
    };
    let micros = if time.1 > 0 { FEEDBACK_MICROS } else { 0 };
    writer.short(id.kind() | event.kind() << FEEDBACK_EVENT | micros | verdict << VERDICT_SHIFT);
    write_time(writer, time, before);
    id.write(writer);
    event.write(writer);
    writer.fixed(stamp.content);
    time.0
}

fn read_feedback(reader: &mut Reader<'_>, millis: &mut i64) -> Result<Feedback, StateError> {
    let flags = read_flags(reader, FEEDBACK_FLAGS)?;
    let time;
    (time, *millis) = read_time(reader, flags & FEEDBACK_MICROS != 0, *millis)?;
    let id: Id = read_id(reader, flags & KIND_MASK, *millis)?;
    let event_id = read_id(reader, flags >> FEEDBACK_EVENT & KIND_MASK, *millis)?;
    Ok(Feedback {
        id,
        stamp: Stamp {
            time,
            event_id,
            content: reader.fixed()?,
        },
        verdict: match flags >> VERDICT_SHIFT {
            0 => Verdict::NotHelpful,
            1 => Verdict::Helpful,
            2 => Verdict::Withdrawn,
            _ => return Err(StateError::Corrupt("an unknown verdict")),
        },
    })
}

/// These flags, if the bytes have a version that can have them.
fn since_deletions(reader: &Reader<'_>, flags: u16) -> u16 {
    if reader.version() >= DELETIONS { flags } else { 0 }
}

fn read_message_flags(reader: &mut Reader<'_>) -> Result<u16, StateError> {
    let flags = read_flags(reader, MESSAGE_FLAGS | since_deletions(reader, MESSAGE_DELETED))?;
    if flags & MESSAGE_DELETED != 0 && flags & !DELETED_FLAGS != 0 {
        return Err(StateError::Corrupt("content of a deleted message"));
    }
    Ok(flags)
}

fn read_flags(reader: &mut Reader<'_>, known: u16) -> Result<u16, StateError> {
    let flags = reader.short()?;
    if flags & !known == 0 {
        Ok(flags)
    } else {
        Err(StateError::Corrupt("an unknown flag"))
    }
}
