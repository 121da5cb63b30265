use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use recap_store::{Batch, Breakdown, ConversationKey, Entry, Figures, Filter, Group, GroupBy, Groups, RangeOn, Target};

use crate::support::{
    busy::{Busy, shuffle},
    database,
    known::{Known, agents, conversations, filter, matches, users},
};

const BY: [GroupBy; 5] = [
    GroupBy::AgentId,
    GroupBy::AgentModel,
    GroupBy::UserId,
    GroupBy::LastFinishReason,
    GroupBy::ToolName,
];

/// A group as it is ordered: none last.
type Value = (bool, Option<i64>, Option<String>);

fn integer(value: Option<i64>) -> Value {
    (value.is_none(), value, None)
}

fn text(value: Option<&str>) -> Value {
    (value.is_none(), None, value.map(str::to_owned))
}

/// The groups that a conversation counts under, each with the tool calls that count there.
fn groups_of(known: &Known, by: Option<GroupBy>) -> Vec<(Value, i64)> {
    let columns = &known.columns;
    let calls = columns.tool_call_count;
    match by {
        None => vec![(integer(None), calls)],
        Some(GroupBy::AgentId) => vec![(integer(columns.agent_id), calls)],
        Some(GroupBy::AgentModel) => vec![(text(known.model()), calls)],
        Some(GroupBy::UserId) => vec![(text(columns.user_id.as_deref()), calls)],
        Some(GroupBy::LastFinishReason) => vec![(text(columns.last_finish_reason.as_deref()), calls)],
        Some(GroupBy::ToolName) => {
            let mut tools = BTreeMap::new();
            for (name, _) in &known.calls {
                *tools.entry(text(name.as_deref())).or_default() += 1;
            }
            tools.into_iter().collect()
        }
    }
}

fn figures(rows: &[(&Known, i64)]) -> Figures {
    let sum = |get: fn(&Known) -> i64| rows.iter().map(|(known, _)| get(known)).sum();
    let users: BTreeSet<_> = rows
        .iter()
        .filter_map(|(known, _)| known.columns.user_id.as_deref())
        .collect();
    let mut durations: Vec<i64> = rows.iter().map(|(known, _)| known.columns.duration_ms).collect();
    durations.sort_unstable();
    // Nearest rank: the least value that so many percent are not above.
    let rank = |percent: usize| {
        durations
            .get((durations.len() * percent).div_ceil(100).max(1) - 1)
            .copied()
    };
    Figures {
        conversation_count: i64::try_from(rows.len()).unwrap(),
        message_count: sum(|known| known.columns.total_message_count),
        tool_calls: rows.iter().map(|(_, calls)| calls).sum(),
        total_tokens: sum(|known| known.columns.tokens.total),
        input_tokens: sum(|known| known.columns.tokens.input),
        output_tokens: sum(|known| known.columns.tokens.output),
        unique_users: i64::try_from(users.len()).unwrap(),
        total_feedback: sum(|known| known.columns.total_feedback),
        total_helpful: sum(|known| known.columns.total_helpful),
        total_not_helpful: sum(|known| known.columns.total_not_helpful),
        duration_p50_ms: rank(50),
        duration_p95_ms: rank(95),
    }
}

fn expected(all: &[Known], filter: &Filter, starts: &[DateTime<Utc>], groups: Option<Groups>) -> Shown {
    let matching: Vec<&Known> = all.iter().filter(|known| matches(known, filter)).collect();
    let mut counts: BTreeMap<Value, usize> = BTreeMap::new();
    for known in &matching {
        for (value, _) in groups_of(known, groups.map(|groups| groups.by)) {
            *counts.entry(value).or_default() += 1;
        }
    }
    let mut ranked: Vec<Value> = counts.keys().cloned().collect();
    ranked.sort_by_key(|value| std::cmp::Reverse(counts[value]));
    let most = groups.map_or(1, |groups| usize::from(groups.most));
    let mut buckets: BTreeMap<_, BTreeMap<&str, (&Known, i64)>> = BTreeMap::new();
    for known in matching {
        let time = match filter.range_on {
            RangeOn::CreatedAt => known.columns.created_at.0,
            RangeOn::UpdatedAt => known.columns.updated_at.0,
        };
        let bucket = starts.iter().filter(|start| start.timestamp_millis() <= time).count() - 1;
        for (value, calls) in groups_of(known, groups.map(|groups| groups.by)) {
            let rank = ranked.iter().position(|ranked| *ranked == value).unwrap().min(most);
            let rows = buckets.entry((bucket, rank)).or_default();
            rows.entry(&known.id).or_insert((known, 0)).1 += calls;
        }
    }
    let rest = (ranked.len() > most).then_some(None);
    Shown {
        groups: ranked.iter().take(most).cloned().map(Some).chain(rest).collect(),
        buckets: buckets
            .into_iter()
            .map(|(place, rows)| (place, figures(&rows.into_values().collect::<Vec<_>>())))
            .collect(),
    }
}

/// Groups in their order, the rest as none, and figures by bucket and group.
#[derive(Debug, PartialEq)]
struct Shown {
    groups: Vec<Option<Value>>,
    buckets: BTreeMap<(usize, usize), Figures>,
}

impl From<Breakdown> for Shown {
    fn from(breakdown: Breakdown) -> Self {
        let value = |group| match group {
            Group::All => Some(integer(None)),
            Group::Integer(value) => Some(integer(value)),
            Group::Text(value) => Some(text(value.as_deref())),
            Group::Other => None,
        };
        let buckets = breakdown.buckets.into_iter();
        Self {
            groups: breakdown.groups.into_iter().map(value).collect(),
            buckets: buckets
                .map(|bucket| ((bucket.index, bucket.group), bucket.figures))
                .collect(),
        }
    }
}

/// Figures of random filters, buckets and groups over random data equal a naive count.
#[tokio::test]
async fn figures_equal_a_naive_count() {
    let database = database().await;
    let generation = database.live().await;
    let mut random = StdRng::seed_from_u64(42);
    let deltas = conversations(&mut random);
    let all: Vec<Known> = deltas.iter().map(|(id, delta)| Known::new(id, delta)).collect();
    let entry = |(id, delta)| Entry::unknown(ConversationKey::new("org", id), delta);
    let mut batch = Batch {
        conversations: deltas.into_iter().map(entry).collect(),
        users: users(),
        agents: agents(),
    };
    database
        .store
        .flush(Target::Live(generation), &mut batch)
        .await
        .unwrap();

    let reader = database.reader();
    let mut compared = 0;
    for round in 0..200 {
        if round % 10 == 0 {
            let busy = [Busy::None, Busy::Some, Busy::All][round / 10 % 3];
            shuffle(&database.pool, busy).await;
        }
        let filter = filter(&mut random);
        let first = filter.from.timestamp_millis() - 1;
        let length = (filter.to.timestamp_millis() - first) / random.random_range(1..5) + 1;
        let starts: Vec<_> = (0..random.random_range(1..5))
            .map(|number| DateTime::from_timestamp_millis(first + number * length).unwrap())
            .collect();
        let groups = random.random_bool(0.8).then(|| Groups {
            by: BY[random.random_range(0..BY.len())],
            most: random.random_range(1..6),
        });
        // Tools are counted over the whole range.
        let starts = match groups {
            Some(groups) if groups.by == GroupBy::ToolName => &starts[..1],
            _ => &starts,
        };
        let mut snapshot = reader.snapshot("org").await.unwrap();
        let found = snapshot.breakdown(&filter, starts, groups).await.unwrap();
        snapshot.finish().await.unwrap();
        let expected = expected(&all, &filter, starts, groups);
        compared += expected.buckets.len();
        assert_eq!(Shown::from(found), expected, "{filter:?} {groups:?}");
    }
    assert!(compared > 300, "only {compared} figures: nothing was proved");
}
