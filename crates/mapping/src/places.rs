//! Where a program fails. The interpreter's errors know no place, so a record that failed is mapped once more by a program that notes where it is: a copy
//! in which each path and each call is preceded by a note of its position in the text. What maps well pays nothing for that.

use std::cell::Cell;

use jaq_core::{
    Native,
    box_iter::box_once,
    load::{
        Arena,
        lex::StrPart,
        parse::{BinaryOp, Def, Term},
    },
    native::{Fun, v},
    path::{Part, Path},
};

use crate::{jq::Jq, value::Value};

/// The function that notes a position. A program that uses the name gets no places.
const NOTE: &str = "recap_note_of_place";

thread_local! {
    static LAST: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The position that was noted last, which is forgotten.
pub(crate) fn take_last() -> Option<usize> {
    LAST.take()
}

/// The function that notes a position, and passes its input on as it is, in paths and updates too.
pub(crate) fn note() -> Fun<Jq> {
    let note = Native::new(|mut cv| {
        let position: Value = cv.0.pop_var();
        LAST.set(position.as_i64().and_then(|position| usize::try_from(position).ok()));
        box_once(Ok(cv.1))
    });
    let note = note.with_paths(|mut cv| {
        let _position: Value = cv.0.pop_var();
        box_once(Ok(cv.1))
    });
    let note = note.with_update(|mut cv, update| {
        let _position: Value = cv.0.pop_var();
        update(cv.1)
    });
    (NOTE, v(1), note)
}

/// A program that notes where it is.
pub(crate) struct Noting<'s> {
    pub text: &'s str,
    pub arena: &'s Arena,
}

impl<'s> Noting<'s> {
    /// The term with notes.
    pub fn term(&self, term: Term<&'s str>) -> Term<&'s str> {
        match term {
            Term::Path(of, path) => {
                let position = path.0.iter().find_map(|(part, _)| self.position_of_part(part));
                let path = path.0.into_iter().map(|(part, optional)| (self.part(part), optional));
                let noted = Term::Path(self.boxed(of), Path(path.collect()));
                self.noted(position, noted)
            }
            Term::Call(name, arguments) => {
                let noted = Term::Call(
                    name,
                    arguments.into_iter().map(|argument| self.term(argument)).collect(),
                );
                self.noted(self.position(name), noted)
            }
            Term::Arr(of) => Term::Arr(of.map(|of| self.boxed(of))),
            Term::Neg(of) => Term::Neg(self.boxed(of)),
            Term::Obj(members) => {
                let member =
                    |(key, value): (Term<&'s str>, Option<Term<&'s str>>)| (key, value.map(|value| self.term(value)));
                Term::Obj(members.into_iter().map(member).collect())
            }
            Term::BinOp(left, operator, right) => Term::BinOp(self.boxed(left), operator, self.boxed(right)),
            Term::Label(name, of) => Term::Label(name, self.boxed(of)),
            Term::Fold(name, of, pattern, terms) => Term::Fold(
                name,
                self.boxed(of),
                pattern,
                terms.into_iter().map(|term| self.term(term)).collect(),
            ),
            Term::TryCatch(of, catch) => Term::TryCatch(self.boxed(of), catch.map(|catch| self.boxed(catch))),
            Term::IfThenElse(branches, otherwise) => {
                let branch = |(condition, then)| (self.term(condition), self.term(then));
                Term::IfThenElse(
                    branches.into_iter().map(branch).collect(),
                    otherwise.map(|otherwise| self.boxed(otherwise)),
                )
            }
            Term::Def(definitions, of) => {
                let definition = |def: Def<&'s str>| Def {
                    body: self.term(def.body),
                    ..def
                };
                Term::Def(definitions.into_iter().map(definition).collect(), self.boxed(of))
            }
            Term::Str(format, parts) => {
                let part = |part| match part {
                    StrPart::Term(term) => StrPart::Term(self.term(term)),
                    other => other,
                };
                Term::Str(format, parts.into_iter().map(part).collect())
            }
            term @ (Term::Id | Term::Recurse | Term::Num(_) | Term::Break(_) | Term::Var(_)) => term,
        }
    }

    #[expect(clippy::boxed_local, reason = "terms hold boxes")]
    fn boxed(&self, term: Box<Term<&'s str>>) -> Box<Term<&'s str>> {
        Box::new(self.term(*term))
    }

    fn part(&self, part: Part<Term<&'s str>>) -> Part<Term<&'s str>> {
        match part {
            Part::Index(index) => Part::Index(self.term(index)),
            Part::Range(from, to) => Part::Range(from.map(|from| self.term(from)), to.map(|to| self.term(to))),
        }
    }

    fn noted(&self, position: Option<usize>, term: Term<&'s str>) -> Term<&'s str> {
        let Some(position) = position else { return term };
        let position: &'s str = self.arena.alloc(position.to_string());
        let note = Term::Call(NOTE, vec![Term::Num(position)]);
        Term::BinOp(Box::new(note), BinaryOp::Pipe(None), Box::new(term))
    }

    fn position_of_part(&self, part: &Part<Term<&'s str>>) -> Option<usize> {
        match part {
            Part::Index(Term::Str(_, parts)) => parts.iter().find_map(|part| match part {
                // The dot before the key belongs to it.
                StrPart::Str(key) => self
                    .position(key)
                    .map(|at| at - usize::from(self.text[..at].ends_with('.'))),
                _ => None,
            }),
            _ => None,
        }
    }

    /// Where a part of the text is; of other text `None`.
    fn position(&self, part: &str) -> Option<usize> {
        part.as_ptr()
            .addr()
            .checked_sub(self.text.as_ptr().addr())
            .filter(|position| *position < self.text.len())
    }
}
