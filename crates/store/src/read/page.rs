//! A page of the list: top-level conversations, each with its descendants.

use std::collections::HashMap;

use super::{
    row::Row,
    sort::{Position, Sort},
};

/// A conversation and those shown inside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The conversation.
    pub row: Row,
    /// Its sub-conversations, in the order of the list; at most 32 levels.
    pub children: Vec<Node>,
}

/// Top-level conversations in the order of the list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The conversations.
    pub top: Vec<Node>,
    /// Where the next page begins: after this. `None` when there is none.
    pub next: Option<Position>,
}

impl Page {
    pub(crate) const EMPTY: Self = Self {
        top: Vec::new(),
        next: None,
    };

    /// Nests the rows of one page. Each row below the top has its parent among them.
    pub(crate) fn build(top: Vec<Row>, below: Vec<Row>, more: bool, sort: Sort) -> Self {
        let mut children: HashMap<String, Vec<Row>> = HashMap::new();
        for row in below {
            if let Some(parent) = row.columns.upstream_conversation_id.clone() {
                children.entry(parent).or_default().push(row);
            }
        }
        let top = nodes(top, &mut children, sort);
        let next = more.then(|| top.last().map(|node| node.row.position(sort))).flatten();
        Self { top, next }
    }
}

fn nodes(mut rows: Vec<Row>, children: &mut HashMap<String, Vec<Row>>, sort: Sort) -> Vec<Node> {
    let value = |row: &Row| sort.value(&row.columns);
    rows.sort_unstable_by(|a, b| (value(b), a.id.as_str()).cmp(&(value(a), b.id.as_str())));
    rows.into_iter()
        .map(|row| {
            let below = children.remove(&row.id).unwrap_or_default();
            Node {
                children: nodes(below, children, sort),
                row,
            }
        })
        .collect()
}
