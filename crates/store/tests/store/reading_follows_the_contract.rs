use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::DateTime;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use recap_store::{Batch, ConversationKey, Entry, Filter, Include, Node, Snapshot, Sort, Stats, Target};
use recap_summary::{Columns, Delta};

use crate::support::{
    busy::{Busy, shuffle},
    database,
    known::{Known, agents, conversation, conversations, filter, matches, users},
};

const SORTS: [Sort; 5] = [
    Sort::UpdatedAt,
    Sort::CreatedAt,
    Sort::TotalTokens,
    Sort::TotalMessageCount,
    Sort::Duration,
];

/// The list as text, nested: `id(child child)`.
fn expected_tree(all: &[Known], filter: &Filter, sort: Sort) -> Vec<String> {
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
    in_order(&mut top, sort);
    top.into_iter().map(|known| write(known, &mut children, sort)).collect()
}

fn in_order(list: &mut [&Known], sort: Sort) {
    list.sort_by(|a, b| (b.sorted_by(sort), a.id.as_str()).cmp(&(a.sorted_by(sort), b.id.as_str())));
}

fn write(known: &Known, children: &mut HashMap<&str, Vec<&Known>>, sort: Sort) -> String {
    let mut below = children.remove(known.id.as_str()).unwrap_or_default();
    in_order(&mut below, sort);
    let below: Vec<String> = below.into_iter().map(|child| write(child, children, sort)).collect();
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

async fn read_tree(snapshot: &mut Snapshot, filter: &Filter, sort: Sort, limit: u32) -> Vec<String> {
    let mut read = Vec::new();
    let mut after = None;
    loop {
        let page = snapshot
            .page(filter, Include::ALL, sort, after.as_ref(), limit)
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

async fn read_flat(snapshot: &mut Snapshot, filter: &Filter, sort: Sort, limit: u32) -> Vec<String> {
    let mut read: Vec<String> = Vec::new();
    let mut after = None;
    loop {
        let rows = snapshot
            .rows(filter, Include::ALL, sort, after.as_ref(), limit)
            .await
            .unwrap();
        read.extend(rows.iter().map(|row| row.id.clone()));
        match rows.last() {
            Some(last) if rows.len() == usize::try_from(limit).unwrap() => {
                after = Some(last.position(sort));
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
    let all: Vec<Known> = deltas.iter().map(|(id, delta)| Known::new(id, delta)).collect();
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
        agents: agents(),
    };
    database
        .store
        .flush(Target::Live(generation), &mut batch)
        .await
        .unwrap();

    let reader = database.reader();
    let mut nested = 0;
    let mut found = 0;
    for round in 0..300 {
        if round % 10 == 0 {
            let busy = [Busy::Some, Busy::None, Busy::Some, Busy::All][round / 10 % 4];
            shuffle(&database.pool, busy).await;
        }
        let filter = filter(&mut random);
        let sort = SORTS[random.random_range(0..SORTS.len())];
        let mut snapshot = reader.snapshot("org").await.unwrap();
        let limit = [3, 7, 20, 50, 1_000][round % 5];
        let tree = read_tree(&mut snapshot, &filter, sort, limit).await;
        assert_eq!(tree, expected_tree(&all, &filter, sort), "{filter:?} {sort:?}");
        nested += tree.iter().filter(|tree| tree.contains("))")).count();
        let mut matching: Vec<&Known> = all.iter().filter(|known| matches(known, &filter)).collect();
        in_order(&mut matching, sort);
        found += matching.len();
        let flat: Vec<&str> = matching.iter().map(|known| known.id.as_str()).collect();
        let read = read_flat(&mut snapshot, &filter, sort, limit).await;
        assert_eq!(read, flat, "{filter:?} {sort:?}");
        let stats = snapshot.stats(&filter).await.unwrap();
        assert_eq!(stats, expected_stats(&all, &filter), "{filter:?}");
        snapshot.finish().await.unwrap();
    }
    assert!(found > 2_000, "only {found} conversations found: nothing was proved");
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
    let filter = Filter::created(moment(0), moment(99));
    let mut snapshot = database.reader().snapshot("org").await.unwrap();
    let mut tree = read_tree(&mut snapshot, &filter, Sort::default(), 10).await;
    tree.sort();
    assert_eq!(tree.len(), 3);
    assert!(tree[0].starts_with("c00(c01(c02(") && tree[0].contains("c31(c32())"));
    assert_eq!(tree[1..], ["c33()".to_owned(), "c34()".to_owned()]);
}

/// One conversation comes with what is below it, whoever is above; a cycle is shown once.
#[tokio::test]
async fn one_conversation_is_the_top_of_its_own_tree() {
    let database = database().await;
    let generation = database.live().await;
    let mut random = StdRng::seed_from_u64(5);
    let deltas = conversations(&mut random);
    let all: Vec<Known> = deltas.iter().map(|(id, delta)| Known::new(id, delta)).collect();
    let entry = |(id, delta)| Entry::unknown(ConversationKey::new("org", id), delta);
    let mut batch = Batch {
        conversations: deltas.into_iter().map(entry).collect(),
        ..Batch::default()
    };
    let target = Target::Live(generation);
    database.store.flush(target, &mut batch).await.unwrap();
    shuffle(&database.pool, Busy::Some).await;

    let mut snapshot = database.reader().snapshot("org").await.unwrap();
    for user_id in [None, Some("user1"), Some("nobody")] {
        for known in &all {
            let expected = expected_one(&all, &known.id, user_id);
            let one = snapshot.one(&known.id, user_id, Include::ALL).await.unwrap();
            assert_eq!(one.as_ref().map(write_node), expected, "{} of {user_id:?}", known.id);
            let outline = snapshot.one_outline(&known.id, user_id).await.unwrap();
            let entries = expected.map_or(0, |tree| tree.matches('(').count());
            assert_eq!(outline.entries.len(), entries);
        }
    }
    assert!(snapshot.one("only-theirs", None, Include::ALL).await.unwrap().is_none());
    snapshot.finish().await.unwrap();
}

fn expected_one(all: &[Known], id: &str, user_id: Option<&str>) -> Option<String> {
    let is_seen = |known: &&Known| {
        let columns = &known.columns;
        columns.deleted_at.is_none() && (user_id.is_none() || columns.user_id.as_deref() == user_id)
    };
    let seen: Vec<&Known> = all.iter().filter(is_seen).collect();
    let top = seen.iter().find(|known| known.id == id)?;
    Some(write_below(&seen, top, id, 0))
}

fn write_below(seen: &[&Known], known: &Known, top: &str, depth: usize) -> String {
    let is_below = |other: &&&Known| {
        other.id != top && other.columns.upstream_conversation_id.as_deref() == Some(known.id.as_str())
    };
    let mut below: Vec<&Known> = seen.iter().filter(is_below).copied().collect();
    in_order(&mut below, Sort::default());
    if depth == 32 {
        below.clear();
    }
    let below: Vec<String> = below
        .into_iter()
        .map(|child| write_below(seen, child, top, depth + 1))
        .collect();
    format!("{}({})", known.id, below.join(" "))
}
