//! The registers: which there are as flags, then each.

use recap_events::Millis;

use super::packed::{KIND_BITS, KIND_MASK, PackedId, read_id, read_time, split, write_time};
use crate::{
    Id, StateError,
    bytes::{Reader, Writer},
    first_text::{FirstTextRegister, Text},
    register::{Owner, Register, Registers, Span},
    stamp::Key,
};

const SPAN: u16 = 1;
const CREATED_AT: u16 = 1 << 1;
const OWN: u32 = 2;
const BY_MESSAGE: u32 = 5;
const DELETION: u16 = 1 << 8;
const DELETED: u16 = 1 << 9;
const FIRST_TEXT: u16 = 1 << 10;
const HAS_TEXT: u16 = 1 << 11;
const KNOWN: u16 = (1 << 12) - 1;

// The flags of an owner, shifted.
const USER_ID: u16 = 1;
const AGENT_ID: u16 = 1 << 1;
const UPSTREAM_ID: u16 = 1 << 2;

/// A key's first byte: that it is the one before, or its id's kind and whether it has microseconds.
const SAME_KEY: u16 = KIND_MASK;
const KEY_MICROS: u16 = 1 << KIND_BITS;

pub(super) fn encode(writer: &mut Writer, registers: &Registers) {
    let there = |there: bool, flag: u16| if there { flag } else { 0 };
    let owner = |owner: &Owner| {
        there(owner.user.is_some(), USER_ID)
            | there(owner.agent.is_some(), AGENT_ID)
            | there(owner.upstream.is_some(), UPSTREAM_ID)
    };
    let deleted = registers.deleted.as_ref();
    let first_text = registers.first_text.as_ref();
    writer.short(
        there(registers.span.is_some(), SPAN)
            | there(registers.created_at.is_some(), CREATED_AT)
            | owner(&registers.own) << OWN
            | owner(&registers.by_message) << BY_MESSAGE
            | there(deleted.is_some(), DELETION)
            | there(deleted.is_some_and(|deleted| deleted.value), DELETED)
            | there(first_text.is_some(), FIRST_TEXT)
            | there(first_text.is_some_and(|t| t.content.is_some()), HAS_TEXT),
    );
    let mut encoder = Encoder {
        writer,
        millis: 0,
        key: None,
    };
    if let Some(span) = registers.span {
        encoder.millis(span.first);
        encoder.millis(span.last);
    }
    if let Some(created_at) = &registers.created_at {
        encoder.key(&created_at.key);
        encoder.millis(created_at.value);
    }
    encoder.owner(&registers.own);
    encoder.owner(&registers.by_message);
    if let Some(first_text) = first_text {
        encoder.key(&first_text.key);
        encoder.millis(first_text.created_at);
        encoder.id(&first_text.message_id);
        if let Some(content) = first_text.content {
            encoder.writer.fixed(content);
        }
    }
    if let Some(deleted) = deleted {
        encoder.key(&deleted.key);
    }
}

struct Encoder<'a> {
    writer: &'a mut Writer,
    /// The last time written.
    millis: i64,
    /// The last key written.
    key: Option<&'a Key>,
}

impl<'a> Encoder<'a> {
    fn millis(&mut self, time: Millis) {
        self.writer.signed(time.0.wrapping_sub(self.millis));
        self.millis = time.0;
    }

    fn id(&mut self, id: &Id) {
        let packed = PackedId::new(id, self.millis);
        self.writer.byte(low_byte(packed.kind()));
        packed.write(self.writer);
    }

    fn key(&mut self, key: &'a Key) {
        if self.key == Some(key) {
            self.writer.byte(low_byte(SAME_KEY));
            return;
        }
        self.key = Some(key);
        let time = split(key.time);
        let packed = PackedId::new(&key.id, time.0);
        let micros = if time.1 > 0 { KEY_MICROS } else { 0 };
        self.writer.byte(low_byte(packed.kind() | micros));
        write_time(self.writer, time, self.millis);
        self.millis = time.0;
        packed.write(self.writer);
    }

    fn owner(&mut self, owner: &'a Owner) {
        for register in [&owner.user, &owner.upstream].into_iter().flatten() {
            self.key(&register.key);
            self.id(&register.value);
        }
        if let Some(agent) = &owner.agent {
            self.key(&agent.key);
            self.writer.signed(agent.value);
        }
    }
}

fn low_byte(flags: u16) -> u8 {
    flags.to_le_bytes()[0]
}

pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Registers, StateError> {
    let flags = reader.short()?;
    let has = |flag: u16| flags & flag != 0;
    if has(!KNOWN) || (has(DELETED) && !has(DELETION)) || (has(HAS_TEXT) && !has(FIRST_TEXT)) {
        return Err(StateError::Corrupt("an unknown register"));
    }
    let mut decoder = Decoder {
        reader,
        millis: 0,
        key: None,
    };
    let mut registers = Registers::default();
    if has(SPAN) {
        registers.span = Some(Span {
            first: decoder.millis()?,
            last: decoder.millis()?,
        });
    }
    if has(CREATED_AT) {
        registers.created_at = Some(Register {
            key: decoder.key()?,
            value: decoder.millis()?,
        });
    }
    registers.own = decoder.owner(flags >> OWN)?;
    registers.by_message = decoder.owner(flags >> BY_MESSAGE)?;
    if has(FIRST_TEXT) {
        registers.first_text = Some(FirstTextRegister {
            key: decoder.key()?,
            created_at: decoder.millis()?,
            message_id: decoder.id()?,
            content: has(HAS_TEXT).then(|| decoder.reader.fixed()).transpose()?,
            text: Text::InRow,
        });
    }
    if has(DELETION) {
        registers.deleted = Some(Register {
            key: decoder.key()?,
            value: has(DELETED),
        });
    }
    Ok(registers)
}

struct Decoder<'a, 'b> {
    reader: &'a mut Reader<'b>,
    millis: i64,
    key: Option<Key>,
}

impl Decoder<'_, '_> {
    fn millis(&mut self) -> Result<Millis, StateError> {
        self.millis = self.millis.wrapping_add(self.reader.signed()?);
        Ok(Millis(self.millis))
    }

    fn id(&mut self) -> Result<Id, StateError> {
        let kind = u16::from(self.reader.byte()?);
        read_id(self.reader, kind, self.millis)
    }

    fn key(&mut self) -> Result<Key, StateError> {
        let flags = u16::from(self.reader.byte()?);
        if flags == SAME_KEY {
            return self.key.clone().ok_or(StateError::Corrupt("no key to repeat"));
        }
        if flags & !(KIND_MASK | KEY_MICROS) != 0 {
            return Err(StateError::Corrupt("an unknown flag"));
        }
        let time;
        (time, self.millis) = read_time(self.reader, flags & KEY_MICROS != 0, self.millis)?;
        let id = read_id(self.reader, flags & KIND_MASK, self.millis)?;
        let key = Key { time, id };
        self.key = Some(key.clone());
        Ok(key)
    }

    fn owner(&mut self, flags: u16) -> Result<Owner, StateError> {
        let mut id = |flag: u16| {
            (flags & flag != 0)
                .then(|| {
                    Ok(Register {
                        key: self.key()?,
                        value: self.id()?,
                    })
                })
                .transpose()
        };
        Ok(Owner {
            user: id(USER_ID)?,
            upstream: id(UPSTREAM_ID)?,
            agent: (flags & AGENT_ID != 0)
                .then(|| {
                    Ok(Register {
                        key: self.key()?,
                        value: self.reader.signed()?,
                    })
                })
                .transpose()?,
        })
    }
}
