//! The result of a benchmark: a table for the terminal, JSON for everything else.

use std::{fmt::Write as _, path::Path};

use anyhow::Context as _;
use serde::Serialize;

use super::machine::Machine;

/// How a row did against its goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The goal is met.
    Met,
    /// The goal is missed.
    Missed,
    /// The row has no goal.
    Reported,
}

impl Verdict {
    pub const fn of(met: bool) -> Self {
        if met { Self::Met } else { Self::Missed }
    }

    const fn mark(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "MISSED",
            Self::Reported => "–",
        }
    }
}

/// One row of a table of deploy/benchmarks.md.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The row's name there.
    pub what: &'static str,
    /// The measured value, for people.
    pub measured: String,
    /// The same for programs, with its unit in the name.
    pub values: serde_json::Map<String, serde_json::Value>,
    /// The goal.
    pub goal: &'static str,
    /// Whether it is met.
    pub verdict: Verdict,
}

impl Row {
    pub fn new(what: &'static str, measured: String, goal: &'static str, verdict: Verdict) -> Self {
        Self {
            what,
            measured,
            values: serde_json::Map::new(),
            goal,
            verdict,
        }
    }

    /// Adds a number for programs.
    #[must_use]
    pub fn with(mut self, name: &str, value: f64) -> Self {
        let rounded = (value * 1_000.0).round() / 1_000.0;
        self.values.insert(name.to_owned(), rounded.into());
        self
    }
}

/// Everything one run found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `write` or `read`.
    pub benchmark: &'static str,
    /// Where it ran.
    pub machine: Machine,
    /// What was asked for.
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// The table.
    pub rows: Vec<Row>,
}

impl Report {
    pub fn new(benchmark: &'static str, machine: Machine) -> Self {
        Self {
            benchmark,
            machine,
            settings: serde_json::Map::new(),
            rows: Vec::new(),
        }
    }

    pub fn setting(&mut self, name: &str, value: impl Into<serde_json::Value>) {
        self.settings.insert(name.to_owned(), value.into());
    }

    /// Adds a row and shows it at once: a benchmark takes minutes.
    pub fn add(&mut self, row: Row) {
        eprintln!("  {:<18} {}", row.what, row.measured);
        self.rows.push(row);
    }

    /// The table in Markdown, as `deploy/benchmarks.md` takes it.
    pub fn table(&self) -> String {
        let mut out = String::new();
        let header = ["what", "measured", "goal", ""].map(str::to_owned);
        let rows = self.rows.iter().map(|row| {
            [
                row.what.to_owned(),
                row.measured.clone(),
                row.goal.to_owned(),
                row.verdict.mark().to_owned(),
            ]
        });
        let cells: Vec<[String; 4]> = std::iter::once(header).chain(rows).collect();
        let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2), width(3)];
        for (index, row) in cells.iter().enumerate() {
            for (cell, width) in row.iter().zip(widths) {
                // Writing to a String cannot fail.
                let _ = write!(out, "| {cell:<width$} ");
            }
            out.push_str("|\n");
            if index == 0 {
                for width in widths {
                    let _ = write!(out, "|{}", "-".repeat(width + 2));
                }
                out.push_str("|\n");
            }
        }
        out
    }

    /// Prints the table, and writes JSON to `path` (`-` is standard output, in place of the table).
    pub fn publish(&self, path: Option<&Path>) -> anyhow::Result<()> {
        let json = serde_json::to_string_pretty(self)?;
        match path {
            Some(path) if path == Path::new("-") => println!("{json}"),
            Some(path) => {
                println!("{}\n{}", self.machine, self.table());
                std::fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))?;
            }
            None => println!("{}\n{}", self.machine, self.table()),
        }
        Ok(())
    }
}

/// A number with thousands separated, no decimals.
pub fn whole(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) && !out.ends_with('-') {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::whole;

    #[test]
    fn thousands_are_separated() {
        assert_eq!(whole(0.4), "0");
        assert_eq!(whole(999.0), "999");
        assert_eq!(whole(1_234_567.2), "1,234,567");
        assert_eq!(whole(-123_456.0), "-123,456");
    }
}
