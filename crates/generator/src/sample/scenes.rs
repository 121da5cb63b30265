//! Written conversations: what people ask the assistants of a support, a sales and an engineering team, what those answer, and the calls of tools in between.
//!
//! Texts and JSON are written as they stand in a JSON text: no quotes, backslashes or control characters in texts. A name in braces is a [slot](super::slots).

mod delegates;
mod engineering;
mod sales;
mod support;

use super::cast::Role;

/// A conversation as it is written.
#[derive(Debug)]
pub struct Scene {
    /// Who answers.
    pub role: Role,
    /// Ways to begin it: one is the first turn's question.
    pub openings: &'static [&'static str],
    /// In the order of time; a conversation plays one or more of them.
    pub turns: &'static [Turn],
    /// What a pleased user writes with a feedback, and another one.
    pub comments: Comments,
    /// What the assistant says when a tool has failed and nothing can be done.
    pub sorry: &'static str,
}

/// Comments of feedback.
#[derive(Debug)]
pub struct Comments {
    pub pleased: &'static [&'static str],
    pub displeased: &'static [&'static str],
}

/// A question and its answer.
#[derive(Debug)]
pub struct Turn {
    /// Empty in the first turn: the opening stands for it.
    pub user: &'static str,
    pub calls: &'static [Call],
    /// What another agent is asked to do meanwhile: a scene of [`delegates`].
    pub delegates: Option<&'static Scene>,
    pub assistant: &'static str,
}

/// A call of a tool.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    pub tool: &'static str,
    pub args: &'static str,
    pub result: &'static str,
    /// What it answers when it fails; some never do.
    pub error: Option<&'static str>,
    /// How long it takes, in milliseconds, at least and at most.
    pub milliseconds: (u32, u32),
}

/// The scenes that users begin, by team.
pub const TEAMS: [&[Scene]; 3] = [support::SCENES, sales::SCENES, engineering::SCENES];

const SORRY: &str = "I am sorry, one of our systems does not answer at the moment. I have noted your request, and a colleague will come back to you today.";

const fn turn(user: &'static str, calls: &'static [Call], assistant: &'static str) -> Turn {
    Turn {
        user,
        calls,
        delegates: None,
        assistant,
    }
}

const fn handing_on(
    user: &'static str,
    calls: &'static [Call],
    scene: &'static Scene,
    assistant: &'static str,
) -> Turn {
    Turn {
        user,
        calls,
        delegates: Some(scene),
        assistant,
    }
}

/// A call that never fails.
const fn call(tool: &'static str, args: &'static str, result: &'static str) -> Call {
    Call {
        tool,
        args,
        result,
        error: None,
        milliseconds: (80, 900),
    }
}

/// A call that may fail.
const fn risky(tool: &'static str, args: &'static str, result: &'static str, error: &'static str) -> Call {
    Call {
        tool,
        args,
        result,
        error: Some(error),
        milliseconds: (300, 6_000),
    }
}

#[cfg(test)]
pub fn all() -> impl Iterator<Item = &'static Scene> {
    let begun = TEAMS.into_iter().flatten();
    begun.chain(delegates::ALL)
}
