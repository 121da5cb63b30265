//! One program, compiled, and its runs.

use std::thread;

use jaq_core::{
    Compiler, Ctx, Exn, Filter, Vars, compile,
    load::{self, Arena, File, Loader, parse::Def},
};

use crate::{
    budget::{self, Budget, Exhausted},
    functions::{self, WITHHELD},
    jq::{Jq, Table},
    places::{self, Noting},
    value::Value,
};

/// Bytes of a program.
const PROGRAM_MAX: usize = 64 * 1024;

/// How much stack a run may use itself, on a thread of its own.
const STACK_OF_RUN: usize = 64 << 20;
/// What a run leaves behind is dropped by recursion: for each step some hundred bytes at most.
const STACK_TO_DROP: u64 = 512;

/// Steps and stack of the first attempt, on the caller's own stack; few enough for a thread's usual 2 MiB.
const STEPS_AT_FIRST: u64 = 4_000;
const STACK_AT_FIRST: usize = 256 << 10;

/// A compiled program.
pub(crate) struct Program(Filter<Jq>);

impl Program {
    /// Compiles the text of a program. Every mistake is a line that says where it is.
    pub fn compile(text: &str) -> Result<Self, Vec<String>> {
        if text.len() > PROGRAM_MAX {
            return Err(vec![format!(
                "it has {} bytes, and {PROGRAM_MAX} are allowed",
                text.len()
            )]);
        }
        // The parser descends by recursion.
        on_large_stack(0, || compile(text)).map(Self)
    }

    /// Compiles the program that notes where it is; `None` when that cannot be done.
    pub fn compile_noting(text: &str) -> Option<Self> {
        on_large_stack(0, || compile_noting(text)).map(Self)
    }

    /// Runs the program that notes where it is, and returns the place where it was when it failed.
    pub fn place_of_failure(
        &self,
        text: &str,
        budget: Budget,
        input: impl Fn() -> Value + Sync,
        output: impl FnMut(Value) -> Result<(), String> + Send,
    ) -> Option<String> {
        let budget = Budget {
            // A note is two terms.
            steps: budget.steps * 3,
            stack: STACK_OF_RUN,
            ..budget
        };
        let position = on_large_stack(budget.steps, || {
            places::take_last();
            let ran = budget::within(budget, || self.outputs(input(), output));
            places::take_last().filter(|_| !matches!(ran, Ok(Ok(()))))
        });
        position.and_then(|position| place(text, text.get(position..)?))
    }

    /// Runs the program on the value that `input` makes, and gives each output to `output`, which may end the run with an error.
    ///
    /// A run that needs more than most is begun again on a larger stack: `input` and `output` are called anew, after `restart`.
    pub fn run<S: Send>(
        &self,
        budget: Budget,
        state: &mut S,
        input: impl Fn() -> Value + Sync,
        output: impl Fn(&mut S, Value) -> Result<(), String> + Sync,
        restart: impl FnOnce(&mut S),
    ) -> Result<(), String> {
        let attempt = |budget: Budget, state: &mut S| {
            let ended = budget::within(budget, || self.outputs(input(), |value| output(state, value)));
            ended
                .map_err(Ended::Exhausted)
                .and_then(|ran| ran.map_err(Ended::Failed))
        };
        let first = Budget {
            steps: budget.steps.min(STEPS_AT_FIRST),
            stack: STACK_AT_FIRST,
            ..budget
        };
        let ended = match attempt(first, &mut *state) {
            Err(Ended::Exhausted(Exhausted::Steps | Exhausted::Stack)) => {
                restart(state);
                let budget = Budget {
                    stack: STACK_OF_RUN,
                    ..budget
                };
                on_large_stack(budget.steps, || attempt(budget, state))
            }
            ended => ended,
        };
        ended.map_err(|ended| match ended {
            Ended::Exhausted(why) => why.to_string(),
            Ended::Failed(message) => message,
        })
    }

    fn outputs(&self, input: Value, mut output: impl FnMut(Value) -> Result<(), String>) -> Result<(), String> {
        let context = Ctx::<Jq>::new(Table(&self.0.lut), Vars::new([]));
        for value in self.0.id.run((context, input)) {
            output(value.map_err(message)?)?;
        }
        Ok(())
    }
}

enum Ended {
    Exhausted(Exhausted),
    Failed(String),
}

/// Characters of a message.
const MESSAGE_MAX: usize = 300;

fn message(exception: Exn<'_, Value>) -> String {
    match exception.get_err().map(jaq_core::Error::into_val) {
        Ok(Value::String(text)) => text.chars().take(MESSAGE_MAX).collect(),
        Ok(Value::Null) => "error(null)".to_owned(),
        // What `error` is given is the program's own.
        Ok(value) => value.to_json().chars().take(MESSAGE_MAX).collect(),
        Err(_) => "`break` outside of its `label`".to_owned(),
    }
}

/// Runs on a thread with a large stack.
///
/// # Panics
/// When there is no memory for the stack: nothing that the record could be blamed for.
fn on_large_stack<T: Send>(steps: u64, run: impl FnOnce() -> T + Send) -> T {
    let to_drop = usize::try_from(steps.saturating_mul(STACK_TO_DROP)).unwrap_or(usize::MAX / 2);
    let stack = 2 * STACK_OF_RUN + to_drop;
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("mapping".to_owned())
            .stack_size(stack)
            .spawn_scoped(scope, run);
        #[expect(
            clippy::expect_used,
            reason = "without memory for a stack a thread cannot be had, now or later"
        )]
        let thread = thread.expect("a thread with some 100 MiB of address space for its stack");
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// The name of the program among the definitions.
const PROGRAM: &str = "recap_program";

fn compile_noting(text: &str) -> Option<Filter<Jq>> {
    let arena = Arena::default();
    let term = load::parse(text, |parser| parser.term())?;
    let program = Def {
        name: PROGRAM,
        args: Vec::new(),
        body: Noting { text, arena: &arena }.term(term),
    };
    let mut definitions: Vec<Def<&str>> = functions::definitions().collect();
    definitions.push(program);
    let loader = Loader::new(definitions);
    let file = File {
        code: PROGRAM,
        path: (),
    };
    let modules = loader.load(&arena, file).ok()?;
    let natives = functions::natives().chain([places::note()]);
    Compiler::<&str, Jq>::default().with_funs(natives).compile(modules).ok()
}

fn compile(text: &str) -> Result<Filter<Jq>, Vec<String>> {
    let arena = Arena::default();
    let loader = Loader::new(functions::definitions());
    let file = File { code: text, path: () };
    let modules = loader.load(&arena, file).map_err(|errors| {
        let mistakes = errors.into_iter().flat_map(|(_, error)| load_mistakes(text, error));
        mistakes.collect::<Vec<_>>()
    })?;
    let compiler = Compiler::<&str, Jq>::default().with_funs(functions::natives());
    compiler.compile(modules).map_err(|errors| {
        let all = errors.into_iter().flat_map(|(_, errors)| errors);
        all.map(|error| undefined(text, &error)).collect()
    })
}

fn load_mistakes(text: &str, error: load::Error<&str>) -> Vec<String> {
    match error {
        load::Error::Io(errors) => errors
            .into_iter()
            .map(|(path, _)| at(text, path, "a mapping is one file, there is no `import` or `include`"))
            .collect(),
        load::Error::Lex(errors) => errors
            .into_iter()
            .map(|(expected, found)| at(text, found, &format!("expected {}", expected.as_str())))
            .collect(),
        load::Error::Parse(errors) => errors
            .into_iter()
            .map(|(expected, found)| {
                at(
                    text,
                    found,
                    &format!("expected {}{}", expected.as_str(), instead(found)),
                )
            })
            .collect(),
    }
}

fn instead(found: &str) -> String {
    if found.is_empty() {
        ", and the program ends".to_owned()
    } else {
        format!(", not `{}`", first_line(found))
    }
}

fn undefined(text: &str, (name, undefined): &compile::Error<&str>) -> String {
    let arity = match undefined {
        compile::Undefined::Filter(arity) => format!("/{arity}"),
        _ => String::new(),
    };
    let why = WITHHELD
        .iter()
        .find(|(withheld, _)| withheld == name)
        .map_or_else(String::new, |(_, why)| format!(": {why}"));
    at(
        text,
        name,
        &format!("there is no {} `{name}`{arity}{why}", undefined.as_str()),
    )
}

fn first_line(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    &line[..line.floor_char_boundary(40)]
}

/// A mistake with the line and column of the part of the text that it is about.
fn at(text: &str, part: &str, mistake: &str) -> String {
    match place(text, part) {
        Some(place) => format!("{place}: {mistake}"),
        None => mistake.to_owned(),
    }
}

/// Line and column of a part of the text.
fn place(text: &str, part: &str) -> Option<String> {
    let start = part
        .as_ptr()
        .addr()
        .checked_sub(text.as_ptr().addr())
        .filter(|start| *start <= text.len());
    let before = text.get(..start?)?;
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Some(format!("line {line}, column {column}"))
}
