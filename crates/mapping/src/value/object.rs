//! Objects: members in the order they came, found by scanning when they are few and by a table when they are many.

use std::rc::Rc;

use indexmap::IndexMap;

use super::{Size, VALUE_BYTES, Value};

/// With more members than this there is a table.
const SCANNED: usize = 12;

/// Members by name.
#[derive(Debug, Clone, Default)]
pub struct Object {
    members: Members,
    pub(super) size: Size,
}

#[derive(Debug, Clone)]
enum Members {
    Few(Vec<(Rc<str>, Value)>),
    Many(IndexMap<Rc<str>, Value>),
}

impl Default for Members {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

/// Bytes that a member takes beside its value's.
fn key_bytes(key: &str) -> usize {
    VALUE_BYTES + key.len()
}

impl Object {
    /// An empty object with room.
    #[must_use]
    pub fn with_capacity(members: usize) -> Self {
        Self {
            members: Members::Few(Vec::with_capacity(members.min(SCANNED))),
            size: Size::default(),
        }
    }

    /// The number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.members {
            Members::Few(few) => few.len(),
            Members::Many(many) => many.len(),
        }
    }

    /// The value of a member.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        match &self.members {
            Members::Few(few) => few.iter().find(|(name, _)| **name == *key).map(|(_, value)| value),
            Members::Many(many) => many.get(key),
        }
    }

    fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        match &mut self.members {
            Members::Few(few) => few.iter_mut().find(|(name, _)| **name == *key).map(|(_, value)| value),
            Members::Many(many) => many.get_mut(key),
        }
    }

    /// Sets a member: where it was, or at the end.
    pub fn insert(&mut self, key: Rc<str>, value: Value) {
        let added = value.size();
        if let Some(old) = self.get_mut(&key) {
            let before = old.size();
            *old = value;
            self.size.remove(before.bytes);
        } else {
            self.size.add(key_bytes(&key));
            self.push(key, value);
        }
        self.size.include(added);
    }

    /// Appends a member that is not there yet.
    fn push(&mut self, key: Rc<str>, value: Value) {
        match &mut self.members {
            Members::Few(few) if few.len() < SCANNED => few.push((key, value)),
            Members::Few(few) => {
                let mut many: IndexMap<Rc<str>, Value> = std::mem::take(few).into_iter().collect();
                many.insert(key, value);
                self.members = Members::Many(many);
            }
            Members::Many(many) => {
                many.insert(key, value);
            }
        }
    }

    /// Takes a member's value out and leaves `null` in its place.
    pub fn take(&mut self, key: &str) -> Option<Value> {
        let value = self.get_mut(key).map(std::mem::take)?;
        self.size.remove(value.size().bytes);
        self.size.include(Value::Null.size());
        Some(value)
    }

    /// Removes a member; the others keep their order.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let removed = match &mut self.members {
            Members::Few(few) => few
                .iter()
                .position(|(name, _)| **name == *key)
                .map(|at| few.remove(at).1),
            Members::Many(many) => many.shift_remove(key),
        };
        let value = removed?;
        self.size.remove(value.size().bytes);
        self.size.remove(key_bytes(key));
        Some(value)
    }

    /// The members in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Rc<str>, &Value)> {
        let (few, many) = match &self.members {
            Members::Few(few) => (Some(few.iter()), None),
            Members::Many(many) => (None, Some(many.iter())),
        };
        Iter { few, many }
    }

    /// A member by its position.
    pub(super) fn at(&self, position: usize) -> Option<(&Rc<str>, &Value)> {
        match &self.members {
            Members::Few(few) => few.get(position).map(|(key, value)| (key, value)),
            Members::Many(many) => many.get_index(position),
        }
    }

    /// Sets members to what another object has, as `+` does.
    pub(super) fn merge(mut self, other: Self) -> Self {
        other.into_iter().for_each(|(key, value)| self.insert(key, value));
        self
    }

    /// Puts the members of a small object before those of this one, if they have no name in common; else does nothing and says so. The interpreter builds
    /// `{a: …, b: …}` as `{a: …} + {b: …}` from the right, and so moves nothing anew.
    pub(super) fn prepend(&mut self, other: &Self) -> bool {
        let (Members::Few(mine), Members::Few(theirs)) = (&mut self.members, &other.members) else {
            return false;
        };
        let is_new = |(key, _): &(Rc<str>, Value)| mine.iter().all(|(name, _)| name != key);
        if mine.len() + theirs.len() > SCANNED || !theirs.iter().all(is_new) {
            return false;
        }
        mine.splice(0..0, theirs.iter().cloned());
        self.size.add(other.size.bytes);
        self.size.depth = self.size.depth.max(other.size.depth);
        true
    }
}

impl IntoIterator for Object {
    type Item = (Rc<str>, Value);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        match self.members {
            Members::Few(few) => few.into_iter(),
            Members::Many(many) => many.into_iter().collect::<Vec<_>>().into_iter(),
        }
    }
}

impl FromIterator<(Rc<str>, Value)> for Object {
    fn from_iter<I: IntoIterator<Item = (Rc<str>, Value)>>(members: I) -> Self {
        let members = members.into_iter();
        let mut object = Self::with_capacity(members.size_hint().0);
        members.for_each(|(key, value)| object.insert(key, value));
        object
    }
}

struct Iter<'o> {
    few: Option<std::slice::Iter<'o, (Rc<str>, Value)>>,
    many: Option<indexmap::map::Iter<'o, Rc<str>, Value>>,
}

impl<'o> Iterator for Iter<'o> {
    type Item = (&'o Rc<str>, &'o Value);

    fn next(&mut self) -> Option<Self::Item> {
        match (&mut self.few, &mut self.many) {
            (Some(few), _) => few.next().map(|(key, value)| (key, value)),
            (None, Some(many)) => many.next(),
            (None, None) => None,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left =
            self.few.as_ref().map_or(0, ExactSizeIterator::len) + self.many.as_ref().map_or(0, ExactSizeIterator::len);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Iter<'_> {}
