use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::DateTime;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use recap_events::{Change, ConversationFields, Message, Micros, Millis, RawJson, Usage, UserProfile};
use recap_store::{
    Batch, ConversationKey, Entry, Filter, Include, MetadataFilter, Node, Snapshot, Stats, Target, UserWrite,
};
use recap_summary::{Columns, Delta};
use serde_json::Value;

use crate::support::database;

const METADATA: [&str; 6] = [
    r#"{"team":"core","level":3,"office":{"city":"Oslo"},"tags":["a",["b",1]]}"#,
    r#"{"team":"3","office.city":"Rome","office":{"city":"Oslo","floor":{"no":3.0}}}"#,
    r#"{"team":null,"deep":[{"team":"core"}],"level":-0}"#,
    r#"{"beta":true,"tags":[],"office":[{"city":"Oslo"}]}"#,
    r#"{"level":"true","x":"","office":{"floor":{"no":"3"}}}"#,
    "{}",
];
const KEYS: [&str; 8] = [
    "team",
    "level",
    "office",
    "office.city",
    "office.floor.no",
    "tags",
    "beta",
    "nobody",
];
const VALUES: [&str; 11] = [
    "core", "3", "3.0", "30e-1", "true", "null", "Oslo", "b", "0", "", "nothing",
];

/// What the contract needs to know of a conversation.
struct Known {
    id: String,
    columns: Columns,
}

/// A few hundred conversations with everything that nesting can meet.
fn conversations(random: &mut StdRng) -> BTreeMap<String, Delta> {
    let mut parents: Vec<(String, Option<String>)> = Vec::new();
    for length in 30..36 {
        for link in 0..length {
            let parent = (link > 0).then(|| format!("chain{length}-{:02}", link - 1));
            parents.push((format!("chain{length}-{link:02}"), parent));
        }
    }
    for length in 1..4 {
        for link in 0..length {
            let parent = format!("cycle{length}-{}", (link + 1) % length);
            parents.push((format!("cycle{length}-{link}"), Some(parent)));
        }
        parents.push((format!("below-cycle{length}"), Some(format!("cycle{length}-0"))));
    }
    parents.push(("lost".into(), Some("nowhere".into())));
    parents.push(("foreign".into(), Some("only-theirs".into())));
    for number in 0..150 {
        let parent = random
            .random_bool(0.6)
            .then(|| format!("free{:03}", random.random_range(0..150)));
        parents.push((format!("free{number:03}"), parent));
    }
    parents
        .into_iter()
        .map(|(id, parent)| {
            let delta = conversation(random, &id, parent.as_deref());
            (id, delta)
        })
        .collect()
}

fn conversation(random: &mut StdRng, id: &str, parent: Option<&str>) -> Delta {
    let mut delta = Delta::default();
    let free = id.starts_with("free");
    // Few distinct times, so that ties are common.
    let time = Micros(random.random_range(100..130) * 1_000_000);
    let user = random.random_range(0..METADATA.len() + 2);
    let fields = ConversationFields {
        user_id: (!free || user > 0).then(|| format!("user{}", if free { user } else { 1 }).into()),
        agent_id: random.random_bool(0.8).then(|| random.random_range(1..4)),
        upstream_conversation_id: parent.map(Into::into),
        created_at: Some(Millis(random.random_range(0..50))),
    };
    delta.apply(&format!("{id}-u"), time, &Change::Upserted(fields));
    for number in 0..random.random_range(0..3) {
        let message = Message {
            message_id: format!("m{number}").into(),
            role: "user".into(),
            created_at: Millis(number),
            text: Some("hello".into()),
            model: None,
            finish_reason: None,
            usage: Usage {
                input_tokens: Some(3),
                output_tokens: Some(4),
                ..Usage::default()
            },
            attachment_count: None,
            user_id: None,
            agent_id: None,
            upstream_conversation_id: None,
        };
        delta.apply(&format!("{id}-m{number}"), Micros(0), &Change::Message(message));
    }
    if free && random.random_bool(0.1) {
        delta.apply(&format!("{id}-d"), Micros(1), &Change::Deleted);
    }
    delta
}

fn users() -> Vec<UserWrite> {
    let profile = |metadata: &&'static str| UserProfile {
        public_metadata: Some(RawJson::parse(metadata).unwrap()),
        ..UserProfile::default()
    };
    METADATA
        .iter()
        .enumerate()
        .map(|(number, metadata)| {
            let id = format!("user{}", number + 1);
            UserWrite::new("org", &id, "e", Micros(1), Some(&profile(metadata)))
        })
        .collect()
}

/// The metadata rules of the contract, as directly as they can be said.
fn has_metadata(user: &str, filter: &MetadataFilter) -> bool {
    let number: usize = user.trim_start_matches("user").parse().unwrap();
    let Some(text) = number.checked_sub(1).and_then(|index| METADATA.get(index)) else {
        return false;
    };
    let root: Value = serde_json::from_str(text).unwrap();
    match (&filter.key, &filter.value) {
        (Some(key), None) => at(&root, key).is_some(),
        (Some(key), Some(value)) => at(&root, key).is_some_and(|found| is(found, value)),
        (None, Some(value)) => anywhere(&root, value),
        (None, None) => false,
    }
}

fn at<'v>(root: &'v Value, key: &str) -> Option<&'v Value> {
    root.get(key).or_else(|| {
        key.split('.')
            .try_fold(root, |value, part| value.as_object()?.get(part))
    })
}

fn is(found: &Value, wanted: &str) -> bool {
    match found {
        Value::String(text) => text == wanted,
        Value::Number(number) => {
            serde_json::from_str::<f64>(wanted).is_ok_and(|wanted| number.as_f64() == Some(wanted))
        }
        Value::Bool(truth) => wanted == if *truth { "true" } else { "false" },
        Value::Null => wanted == "null",
        Value::Array(items) => items.iter().any(|item| is(item, wanted)),
        Value::Object(_) => false,
    }
}

fn anywhere(value: &Value, wanted: &str) -> bool {
    match value {
        Value::Object(fields) => fields.values().any(|value| anywhere(value, wanted)),
        Value::Array(items) => items.iter().any(|value| anywhere(value, wanted)),
        scalar => is(scalar, wanted),
    }
}

fn matches(known: &Known, filter: &Filter) -> bool {
    let columns = &known.columns;
    let created = columns.created_at.0;
    columns.deleted_at.is_none()
        && created >= filter.from.timestamp_millis()
        && created <= filter.to.timestamp_millis()
        && filter
            .user_id
            .as_ref()
            .is_none_or(|user| columns.user_id.as_ref() == Some(user))
        && filter.agent_id.is_none_or(|agent| columns.agent_id == Some(agent))
        && filter.metadata.as_ref().is_none_or(|metadata| {
            columns
                .user_id
                .as_ref()
                .is_some_and(|user| has_metadata(user, metadata))
        })
}

/// The list as text, nested: `id(child child)`.
fn expected_tree(all: &[Known], filter: &Filter) -> Vec<String> {
    let matching: HashMap<&str, &Known> = all
        .iter()
        .filter(|known| matches(known, filter))
        .map(|known| (known.id.as_str(), known))
        .collect();
    let parent = |id: &str| {
        let parent = matching[id].columns.upstream_conversation_id.as_deref()?;
        matching.get(parent).map(|known| known.id.as_str())
    };
    let links = |id: &str| {
        let chain = std::iter::successors(parent(id), |id| parent(id));
        chain.take(33).count()
    };
    let mut children: HashMap<&str, Vec<&Known>> = HashMap::new();
    let mut top = Vec::new();
    for known in matching.values() {
        match (links(&known.id), parent(&known.id)) {
            (1..=32, Some(parent)) => children.entry(parent).or_default().push(known),
            _ => top.push(*known),
        }
    }
    in_order(&mut top);
    top.into_iter().map(|known| write(known, &mut children)).collect()
}

fn in_order(list: &mut [&Known]) {
    list.sort_by(|a, b| (b.columns.updated_at, a.id.as_str()).cmp(&(a.columns.updated_at, b.id.as_str())));
}

fn write(known: &Known, children: &mut HashMap<&str, Vec<&Known>>) -> String {
    let mut below = children.remove(known.id.as_str()).unwrap_or_default();
    in_order(&mut below);
    let below: Vec<String> = below.into_iter().map(|child| write(child, children)).collect();
    format!("{}({})", known.id, below.join(" "))
}

fn write_node(node: &Node) -> String {
    let below: Vec<String> = node.children.iter().map(write_node).collect();
    format!("{}({})", node.row.id, below.join(" "))
}

fn expected_stats(all: &[Known], filter: &Filter) -> Stats {
    let matching: Vec<&Columns> = all
        .iter()
        .filter(|known| matches(known, filter))
        .map(|known| &known.columns)
        .collect();
    let sum = |get: fn(&Columns) -> i64| matching.iter().map(|columns| get(columns)).sum();
    let users: HashSet<_> = matching.iter().filter_map(|c| c.user_id.as_deref()).collect();
    let agents: HashSet<_> = matching.iter().filter_map(|c| c.agent_id).collect();
    Stats {
        conversation_count: i64::try_from(matching.len()).unwrap(),
        message_count: sum(|c| c.total_message_count),
        tool_calls: sum(|c| c.tool_call_count),
        total_tokens: sum(|c| c.tokens.total),
        input_tokens: sum(|c| c.tokens.input),
        output_tokens: sum(|c| c.tokens.output),
        unique_users: i64::try_from(users.len()).unwrap(),
        unique_agents: i64::try_from(agents.len()).unwrap(),
        total_feedback: sum(|c| c.total_feedback),
        total_helpful: sum(|c| c.total_helpful),
        total_not_helpful: sum(|c| c.total_not_helpful),
    }
}

fn filter(random: &mut StdRng) -> Filter {
    let moment = |ms: i64| DateTime::from_timestamp_millis(ms).unwrap();
    let (from, to) = match random.random_range(0..3) {
        0 => (0, 50),
        1 => (random.random_range(0..25), random.random_range(25..50)),
        _ => (20, 22),
    };
    let pick = |random: &mut StdRng, from: &[&str]| from[random.random_range(0..from.len())].to_owned();
    let metadata = random.random_bool(0.6).then(|| match random.random_range(0..3) {
        0 => MetadataFilter {
            key: Some(pick(random, &KEYS)),
            value: None,
        },
        1 => MetadataFilter {
            key: None,
            value: Some(pick(random, &VALUES)),
        },
        _ => MetadataFilter {
            key: Some(pick(random, &KEYS)),
            value: Some(pick(random, &VALUES)),
        },
    });
    Filter {
        // Below the millisecond nothing counts.
        from: moment(from) + chrono::Duration::microseconds(999),
        to: moment(to),
        user_id: random
            .random_bool(0.2)
            .then(|| format!("user{}", random.random_range(0..8))),
        agent_id: random.random_bool(0.2).then(|| random.random_range(1..5)),
        metadata,
    }
}

async fn read_tree(snapshot: &mut Snapshot, filter: &Filter, limit: u32) -> Vec<String> {
    let mut read = Vec::new();
    let mut after = None;
    loop {
        let page = snapshot
            .page(filter, Include::ALL, after.as_ref(), limit)
            .await
            .unwrap();
        assert!(page.top.len() <= usize::try_from(limit).unwrap());
        assert!(page.next.is_none() || page.top.len() == usize::try_from(limit).unwrap());
        read.extend(page.top.iter().map(write_node));
        match page.next {
            Some(next) => after = Some(next),
            None => return read,
        }
    }
}

async fn read_flat(snapshot: &mut Snapshot, filter: &Filter, limit: u32) -> Vec<String> {
    let mut read: Vec<String> = Vec::new();
    let mut after = None;
    loop {
        let rows = snapshot
            .rows(filter, Include::ALL, after.as_ref(), limit)
            .await
            .unwrap();
        read.extend(rows.iter().map(|row| row.id.clone()));
        match rows.last() {
            Some(last) if rows.len() == usize::try_from(limit).unwrap() => {
                after = Some(last.position());
            }
            _ => return read,
        }
    }
}

/// Pages, flat rows and statistics of random filters over random data equal a naive reading of the
/// contract's rules.
#[tokio::test]
async fn answers_equal_a_naive_evaluation() {
    let database = database().await;
    let generation = database.live().await;
    let mut random = StdRng::seed_from_u64(77);
    let deltas = conversations(&mut random);
    let all: Vec<Known> = deltas
        .iter()
        .map(|(id, delta)| Known {
            id: id.clone(),
            columns: delta.state.columns(),
        })
        .collect();
    let of = |org_id: &'static str, deltas: BTreeMap<String, Delta>| {
        deltas
            .into_iter()
            .map(move |(id, delta)| Entry::unknown(ConversationKey::new(org_id, id), delta))
    };
    // Another organization has the same ids, and the parent that one of ours names.
    let mut theirs = conversations(&mut random);
    theirs.insert("only-theirs".into(), conversation(&mut random, "only-theirs", None));
    let mut batch = Batch {
        conversations: of("org", deltas).chain(of("other", theirs)).collect(),
        users: users(),
        agents: Vec::new(),
    };
    database
        .store
        .flush(Target::Live(generation), &mut batch)
        .await
        .unwrap();

    let reader = database.reader();
    let mut nested = 0;
    for round in 0..100 {
        let filter = filter(&mut random);
        let mut snapshot = reader.snapshot("org").await.unwrap();
        let limit = [3, 7, 20, 50, 1_000][round % 5];
        let tree = read_tree(&mut snapshot, &filter, limit).await;
        assert_eq!(tree, expected_tree(&all, &filter), "{filter:?}");
        nested += tree.iter().filter(|tree| tree.contains("))")).count();
        let mut matching: Vec<&Known> = all.iter().filter(|known| matches(known, &filter)).collect();
        in_order(&mut matching);
        let flat: Vec<&str> = matching.iter().map(|known| known.id.as_str()).collect();
        assert_eq!(read_flat(&mut snapshot, &filter, limit).await, flat, "{filter:?}");
        let stats = snapshot.stats(&filter).await.unwrap();
        assert_eq!(stats, expected_stats(&all, &filter), "{filter:?}");
        snapshot.finish().await.unwrap();
    }
    assert!(nested > 200, "only {nested} nested trees: nothing was proved");
}

/// Of chains of matching ancestors 32 links nest and the rest stands at the top.
#[tokio::test]
async fn thirty_two_ancestors_nest_and_a_thirty_third_does_not() {
    let database = database().await;
    let generation = database.live().await;
    let mut random = StdRng::seed_from_u64(1);
    let mut batch = Batch::default();
    for link in 0..35 {
        let parent = (link > 0).then(|| format!("c{:02}", link - 1));
        let id = format!("c{link:02}");
        let delta = conversation(&mut random, &id, parent.as_deref());
        batch
            .conversations
            .push(Entry::unknown(ConversationKey::new("org", id), delta));
    }
    database
        .store
        .flush(Target::Live(generation), &mut batch)
        .await
        .unwrap();
    let moment = |ms: i64| DateTime::from_timestamp_millis(ms).unwrap();
    let filter = Filter {
        from: moment(0),
        to: moment(99),
        user_id: None,
        agent_id: None,
        metadata: None,
    };
    let mut snapshot = database.reader().snapshot("org").await.unwrap();
    let mut tree = read_tree(&mut snapshot, &filter, 10).await;
    tree.sort();
    assert_eq!(tree.len(), 3);
    assert!(tree[0].starts_with("c00(c01(c02(") && tree[0].contains("c31(c32())"));
    assert_eq!(tree[1..], ["c33()".to_owned(), "c34()".to_owned()]);
}
