//! What dashboards and alerts name is exported under that name, and what is exported is defined in `names`.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use recap_telemetry::{
    BatchFigures, CacheResult, CacheState, ClerkMetrics, DatabaseSpans, EventOutcome, FlushOutcome, MetricsRegistry,
    PartitionLag, PoolState, ProjectorMetrics, QueryMetrics, RebuildMetrics, RebuildPhase, Request, ResetReason,
    SchemaRegistryMetrics, WebhookOutcome,
    names::metric::{self, Kind},
    observe_process,
};
use tracing_subscriber::layer::SubscriberExt;

/// A registry with every instrument used once.
fn everything_touched() -> MetricsRegistry {
    let registry = MetricsRegistry::new().unwrap();
    let meter = registry.meter();
    let topic: Arc<str> = "recap.messages".into();
    let second = Duration::from_secs(1);

    let projector = ProjectorMetrics::new(&meter);
    projector.lags.set(
        &topic,
        3,
        PartitionLag {
            records: 5,
            seconds: 1.5,
            committed_offset: 10,
        },
    );
    for level in [
        &projector.unread,
        &projector.paused,
        &projector.busy,
        &projector.states_held,
        &projector.states_bytes,
        &projector.dirty_bytes,
        &projector.intake_bytes,
    ] {
        level.set(1);
    }
    projector.missing_topics.set([topic.clone()].into());
    projector.consumed(&topic, &"recap-projector".into(), 1);
    projector.processed(second);
    projector.listed(1);
    projector.events("message.upserted", EventOutcome::Folded, 1);
    projector.dead_lettered("not-json");
    projector.kafka_error("AllBrokersDown");
    projector.committed(0.1, 0.1);
    let figures = BatchFigures {
        events: 10,
        conversations: 2,
        written: 1,
        unchanged: 1,
        conflicts: 1,
        loaded: 1,
        reused_ids: 1,
    };
    projector.flushed(FlushOutcome::Committed, second, figures);
    projector.flush_retried();
    projector.reset(ResetReason::Rebalance);
    projector.began(&"recap.messages".into(), 1, 1);
    projector.evicted(1, 1);
    projector.database.observe_pool("flush", || PoolState {
        used: 1,
        idle: 1,
        max: 2,
    });

    let query = QueryMetrics::new(&meter);
    query.observe_cache(|| CacheState { entries: 1, bytes: 1 });
    query.observe_replay_lag(|| Duration::from_secs(1));
    query.observe_feed(|| Duration::from_secs(1));
    query.request_started("GET");
    query.request_finished(
        Request {
            method: "GET",
            route: "/api/dashboard/getStats",
            status: 503,
        },
        second,
        10,
    );
    query.first_byte("/api/dashboard/getStats", second);
    query.answered("/api/dashboard/getStats", 1);
    query.stream_aborted("database");
    query.auth_refused("expired");
    query.impersonated();
    query.limited("rate");
    query.keys_fetched(true);
    query.cache_lookup(CacheResult::Hit);
    query.change_received();

    let rebuild = RebuildMetrics::new(&meter);
    rebuild.enter(RebuildPhase::Fill);
    rebuild.begin(10);
    rebuild.advanced(5, 5);
    rebuild.verified(1, 1);
    rebuild.switched(true);
    let clerk = ClerkMetrics::new(&meter);
    clerk.webhook("user.updated", WebhookOutcome::Handled);
    clerk.api_answered("succeeded");
    let schemas = SchemaRegistryMetrics::new(&meter);
    schemas.answered("found");
    schemas.waiting(1);
    observe_process(&meter);

    let spans = tracing_subscriber::registry().with(DatabaseSpans::new(&meter).layer());
    tracing::subscriber::with_default(spans, || drop(tracing::debug_span!("store.flush")));
    registry
}

/// Series names and, per name, the label keys seen.
fn scrape(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut series: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let name: String = line.chars().take_while(|c| !matches!(c, '{' | ' ')).collect();
        let labels = line
            .split_once('{')
            .and_then(|(_, rest)| rest.rsplit_once('}'))
            .map_or("", |(labels, _)| labels);
        let keys = labels
            .split("\",")
            .filter_map(|pair| pair.split_once("=\""))
            .map(|(key, _)| key.trim_start_matches(',').to_owned());
        series.entry(name).or_default().extend(keys);
    }
    series
}

fn deploy(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy")
        .join(path)
}

/// Every name in `text` that begins like one of ours.
fn named_in(text: &str) -> BTreeSet<String> {
    let of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    text.split(|c| !of_a_name(c))
        .filter(|word| {
            ["recap_", "http_", "db_client_", "messaging_", "process_"]
                .iter()
                .any(|prefix| word.starts_with(prefix))
        })
        .map(ToOwned::to_owned)
        .collect()
}

fn dashboard_expressions() -> Vec<(String, String)> {
    let mut expressions = Vec::new();
    for entry in std::fs::read_dir(deploy("grafana/dashboards")).unwrap() {
        let path = entry.unwrap().path();
        let dashboard: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                expressions.push((
                    format!("{} / {}", path.display(), panel["title"]),
                    target["expr"].as_str().unwrap().to_owned(),
                ));
            }
        }
    }
    assert!(expressions.len() > 50, "the dashboards were found");
    expressions
}

/// The rules without their prose, whose words are nobody's names.
fn rule_expressions() -> String {
    let rules = std::fs::read_to_string(deploy("prometheus/rules.yaml")).unwrap();
    rules
        .lines()
        .filter(|line| {
            !["summary:", "description:", "#"]
                .iter()
                .any(|prose| line.trim_start().starts_with(prose))
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn every_metric_defined_is_exported_under_its_prometheus_name_with_its_attributes_and_nothing_else_is() {
    let text = everything_touched().render().unwrap();
    let series = scrape(&text);
    let mut expected = BTreeSet::from(["target_info".to_owned()]);
    for metric in metric::ALL {
        let name = metric.prometheus_name();
        let suffixes: &[&str] = if metric.kind == Kind::Histogram {
            &["_bucket", "_sum", "_count"]
        } else {
            &[""]
        };
        for suffix in suffixes {
            let labels = series
                .get(&format!("{name}{suffix}"))
                .unwrap_or_else(|| panic!("{name}{suffix} is not exported:\n{text}"));
            let attributes: BTreeSet<String> = metric.attributes.iter().map(|key| key.replace('.', "_")).collect();
            let labels: BTreeSet<String> = labels.iter().filter(|label| *label != "le").cloned().collect();
            assert_eq!(labels, attributes, "labels of {name}");
            expected.insert(format!("{name}{suffix}"));
        }
        assert!(
            text.contains(&format!("# HELP {name} {}", metric.description)),
            "{name} has its description"
        );
    }
    assert_eq!(series.into_keys().collect::<BTreeSet<_>>(), expected);
}

#[test]
fn every_name_in_a_dashboard_or_a_rule_is_exported_and_every_metric_is_seen_in_one() {
    let series = scrape(&everything_touched().render().unwrap());
    let labels: BTreeSet<&String> = series.values().flatten().collect();
    let mut seen = BTreeSet::new();
    let rules = ("prometheus/rules.yaml".to_owned(), rule_expressions());
    for (source, expression) in dashboard_expressions().into_iter().chain([rules]) {
        for name in named_in(&expression) {
            assert!(
                series.contains_key(&name) || labels.contains(&name),
                "{source} names {name}, which nothing exports"
            );
            seen.insert(name);
        }
    }
    for metric in metric::ALL {
        let name = metric.prometheus_name();
        assert!(
            seen.iter().any(|seen| seen.starts_with(&name)),
            "{name} is exported and on no dashboard"
        );
    }
}

#[test]
fn the_series_of_a_revoked_partition_end() {
    let registry = MetricsRegistry::new().unwrap();
    let projector = ProjectorMetrics::new(&registry.meter());
    let topic: Arc<str> = "recap.users".into();
    projector.lags.set(&topic, 0, PartitionLag::default());
    projector.lags.set(&topic, 1, PartitionLag::default());
    assert_eq!(
        registry
            .render()
            .unwrap()
            .matches("recap_projector_lag_records{")
            .count(),
        2
    );
    projector.lags.remove(&topic, 0);
    let text = registry.render().unwrap();
    assert_eq!(text.matches("recap_projector_lag_records{").count(), 1, "{text}");
    assert!(text.contains("recap_projector_partitions_assigned 1"));
}

#[test]
fn spans_and_attributes_have_one_name_each() {
    let names: BTreeSet<_> = metric::ALL.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), metric::ALL.len());
    let spans = recap_telemetry::names::span::ALL;
    assert_eq!(spans.iter().collect::<BTreeSet<_>>().len(), spans.len());
}
