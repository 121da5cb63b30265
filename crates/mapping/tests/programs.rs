//! What programs are given, what they may do, and what becomes of those that do not end.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test may panic")]

use proptest::prelude::*;
use recap_mapping::{Events, MAPPING, Mapped, Mapping, Record, Refusal};

fn record(value: &[u8]) -> Record<'_> {
    Record {
        topic: "chat",
        partition: 3,
        offset: 42,
        timestamp: Some(1_767_607_200_123),
        key: Some(b"c1"),
        headers: &[("tenant", Some(b"org_a")), ("trace", None)],
        value: Some(value),
        schemas: None,
    }
}

/// What a program makes of a value, as text.
fn run(program: &str, value: &str) -> Result<Vec<String>, Refusal> {
    let mapping = Mapping::compile("chat.jq", program).unwrap();
    let mut events = Events::default();
    mapping.run(&record(value.as_bytes()), &mut events)?;
    Ok(events.iter().map(str::to_owned).collect())
}

/// What an expression makes of a value: it stands in the only event.
fn result(expression: &str, value: &str) -> Result<serde_json::Value, String> {
    let program = format!(".value | {{id: \"x\", result: ({expression})}}");
    let events = run(&program, value).map_err(|refusal| refusal.error)?;
    let event: serde_json::Value = serde_json::from_str(&events[0]).unwrap();
    Ok(event["result"].clone())
}

#[track_caller]
fn gives(expression: &str, value: &str, wanted: &str) {
    let wanted: serde_json::Value = serde_json::from_str(wanted).unwrap();
    assert_eq!(result(expression, value), Ok(wanted), "{expression}");
}

#[test]
fn a_program_sees_the_record() {
    let events = run("{id: \"x\", r: .}", r#"{"a": [1, 2.50, "é"]}"#).unwrap();
    let event: serde_json::Value = serde_json::from_str(&events[0]).unwrap();
    let wanted = serde_json::json!({
        "topic": "chat", "partition": 3, "offset": 42, "timestamp": 1_767_607_200_123_i64, "key": "c1",
        "headers": {"tenant": "org_a", "trace": null}, "value": {"a": [1, 2.5, "é"]},
    });
    assert_eq!(event["r"], wanted);
    assert!(
        events[0].contains("2.50"),
        "numbers are kept as they were sent: {}",
        events[0]
    );
}

#[test]
fn a_value_that_is_no_json_is_text_or_base64() {
    let mapping = Mapping::compile("chat.jq", "{id: \"x\", v: .value, e: .encoding}").unwrap();
    let mut events = Events::default();
    for (value, wanted) in [
        (b"plain".as_slice(), r#""v":"plain","e":"text""#),
        (b"\xff\xfe", r#""v":"//4=","e":"base64""#),
        (b"7", r#""v":7,"e":null"#),
    ] {
        mapping.run(&record(value), &mut events).unwrap();
        let event = events.iter().next().unwrap();
        assert!(event.contains(wanted), "{event}");
    }
}

#[test]
fn what_an_event_leaves_out_comes_from_the_record() {
    let events = run(
        "{type: \"a\"}, {type: \"b\", time: \"2026-01-01T00:00:00Z\", id: \"own\", source: null}",
        "{}",
    )
    .unwrap();
    let read = |text: &String| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let (first, second) = (read(&events[0]), read(&events[1]));
    assert_eq!(first["time"], "2026-01-05T10:00:00.123Z");
    assert_eq!(first["source"], "chat");
    assert_eq!(second["time"], "2026-01-01T00:00:00Z");
    assert_eq!(second["id"], "own");
    assert_eq!(second["source"], "chat");
    let id = first["id"].as_str().unwrap();
    assert_eq!((id.len(), &id[14..15]), (36, "8"), "a UUID of version 8: {id}");
}

/// Ids of one partition sort by time, then offset, then number; other partitions and topics have other ids.
#[test]
fn default_ids_sort_as_the_log_does() {
    let mapping = Mapping::compile("chat.jq", "{}, {}").unwrap();
    let ids = |record: &Record<'_>| -> Vec<String> {
        let mut events = Events::default();
        mapping.run(record, &mut events).unwrap();
        let id = |text: &str| {
            serde_json::from_str::<serde_json::Value>(text).unwrap()["id"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        events.iter().map(id).collect()
    };
    let base = record(b"{}");
    let mut all = ids(&base);
    for offset in [43, 4_095, 4_096, 5_000_000] {
        all.extend(ids(&Record { offset, ..base }));
    }
    all.extend(ids(&Record {
        timestamp: Some(1_767_607_200_124),
        offset: 1,
        ..base
    }));
    assert!(all.is_sorted(), "{all:?}");
    let others = [
        ids(&Record { partition: 4, ..base }),
        ids(&Record { topic: "tahc", ..base }),
    ]
    .concat();
    assert!(others.iter().all(|id| !all.contains(id)));
}

#[test]
fn expressions_do_what_jq_does() {
    gives(".a.b[1:]", r#"{"a": {"b": [1, 2, 3]}}"#, "[2, 3]");
    gives(
        "[.[] | select(.n > 1) | .n]",
        r#"[{"n": 1}, {"n": 2}, {"n": 3}]"#,
        "[2, 3]",
    );
    gives("map(.x) | add", r#"[{"x": "a"}, {"x": "b"}]"#, r#""ab""#);
    gives("{b: 1, a: 2} + {a: 3}", "null", r#"{"b": 1, "a": 3}"#);
    gives("{a: {b: 1}} * {a: {c: 2}}", "null", r#"{"a": {"b": 1, "c": 2}}"#);
    gives(
        ".a //= 5 | .b += 1 | .c.d = 2 | del(.x)",
        r#"{"b": 1, "x": 0}"#,
        r#"{"b": 2, "a": 5, "c": {"d": 2}}"#,
    );
    gives("to_entries", r#"{"k": 1}"#, r#"[{"key": "k", "value": 1}]"#);
    gives("with_entries(.value += 1)", r#"{"k": 1}"#, r#"{"k": 2}"#);
    gives(
        "group_by(.k) | map(length)",
        r#"[{"k": 1}, {"k": 2}, {"k": 1}]"#,
        "[2, 1]",
    );
    gives("sort_by(.k) | .[0].k", r#"[{"k": 3}, {"k": 2}]"#, "2");
    gives("unique", "[3, 1, 3]", "[1, 3]");
    gives("[paths]", r#"{"a": [0]}"#, r#"[["a"], ["a", 0]]"#);
    gives("[..]", "[1]", "[[1], 1]");
    gives(
        "walk(if type == \"number\" then . + 1 else . end)",
        "[1, {\"a\": 2}]",
        r#"[2, {"a": 3}]"#,
    );
    gives("split(\",\") | join(\"-\")", r#""a,b""#, r#""a-b""#);
    gives("test(\"^a.c$\"; \"i\")", r#""ABC""#, "true");
    gives(
        "capture(\"(?<y>[0-9]{4})-(?<m>[0-9]+)\")",
        r#""2026-01""#,
        r#"{"y": "2026", "m": "01"}"#,
    );
    gives("gsub(\"[aeiou]\"; \"*\")", r#""house""#, r#""h**s*""#);
    gives("[match(\"b+\"; \"g\") | .offset]", r#""ébbab""#, "[1, 4]");
    gives("@base64 | ., @base64d", r#""hé""#, r#""aMOp""#);
    gives("[limit(3; repeat(1))]", "null", "[1, 1, 1]");
    gives("[range(0; 10; 3)]", "null", "[0, 3, 6, 9]");
    gives("first(range(10; 0; -1))", "null", "10");
    gives("reduce .[] as $x (0; . + $x)", "[1, 2, 3]", "6");
    gives("[foreach .[] as $x (0; . + $x)]", "[1, 2, 3]", "[1, 3, 6]");
    gives("try error(\"no\") catch .", "null", r#""no""#);
    gives(". as [$a, {b: $c}] | $a + $c", r#"[1, {"b": 2}]"#, "3");
    gives("\"\\(.a)-\\(.b)\"", r#"{"a": 1, "b": [true]}"#, r#""1-[true]""#);
    gives("fromjson | .a", r#""{\"a\": 1}""#, "1");
    gives("tojson", "[1, {\"a\": null}]", r#""[1,{\"a\":null}]""#);
    gives("contains({a: [1]})", r#"{"a": [2, 1], "b": 0}"#, "true");
    gives("index(\"b\"), rindex(\"b\")", r#""abcb""#, "1");
    gives("[.[] | tonumber]", r#"["1", 2.5]"#, "[1, 2.5]");
}

#[test]
fn times_of_every_unit_are_rfc_3339() {
    gives("time_of_millis", "1767607200123", r#""2026-01-05T10:00:00.123Z""#);
    gives("time_of_micros", "1767607200123456", r#""2026-01-05T10:00:00.123456Z""#);
    gives(
        "time_of_nanos",
        r#""1767607200123456789""#,
        r#""2026-01-05T10:00:00.123456789Z""#,
    );
    gives("time_of_seconds", "1767607200", r#""2026-01-05T10:00:00Z""#);
    gives("todate", "1767607200", r#""2026-01-05T10:00:00Z""#);
    gives("fromdate", r#""2026-01-05T11:00:00+01:00""#, "1767607200");
    gives(
        "strptime(\"%Y-%m-%d %H:%M\") | mktime",
        r#""2026-01-05 10:00""#,
        "1767607200",
    );
    gives("gmtime | strftime(\"%A, %d\")", "1767607200", r#""Monday, 05""#);
    assert!(result("time_of_nanos", r#""soon""#).is_err());
    assert!(result("strftime(\"%!\")", "0").is_err());
}

#[test]
fn mistakes_in_programs_say_where_and_why() {
    let mistakes = |program: &str| Mapping::compile("chat.jq", program).unwrap_err().to_string();
    for (program, wanted) in [
        (
            "{a:\n  now}",
            "chat.jq: line 2, column 3: there is no filter `now`/0: a replay must give the same events",
        ),
        ("$ENV.HOME", "there is no variable `$ENV`: a replay"),
        ("input", "there is no filter `input`/0: the input is `.`"),
        (".a | debug", "line 1, column 6: there is no filter `debug`/0"),
        ("import \"a\" as a; .", "a mapping is one file"),
        ("{a: 1", "expected closing brace"),
        ("if . then 1", "expected else or end, and the program ends"),
        (
            ". | frobnicate(1; 2)",
            "line 1, column 5: there is no filter `frobnicate`/2",
        ),
        ("halt", "there is no filter `halt`/0"),
    ] {
        let found = mistakes(program);
        assert!(found.contains(wanted), "{program}: {found}");
    }
}

#[test]
fn what_a_program_cannot_do_is_a_refusal_that_says_what() {
    for (program, value, wanted) in [
        (".value.a.b", r#"{"a": "secret"}"#, "cannot index string with \"b\""),
        (".value[] | {}", "1", "cannot use 1 as iterable"),
        ("error(\"no tenant\")", "1", "no tenant"),
        (".value + {}", r#""secret""#, "cannot calculate string + object"),
        ("{}, 5", "1", "output 2 is a value of type number"),
        ("{} | error", "1", "{}"),
    ] {
        let refusal = run(program, value).unwrap_err();
        assert_eq!(refusal.reason, MAPPING);
        assert!(refusal.error.starts_with("chat.jq"), "{}", refusal.error);
        assert!(refusal.error.contains(wanted), "{program}: {}", refusal.error);
        assert!(
            !refusal.error.contains("secret"),
            "texts of the record are not quoted: {}",
            refusal.error
        );
    }
}

/// Programs that never end, or would take all memory or all stack: each a refusal, and always the same.
#[test]
fn what_does_not_end_is_refused() {
    for (program, wanted) in [
        ("def f: f; f", "does not end"),
        ("def f: 1 + f; f", "deeply"),
        ("def f: [f]; f", "deeply"),
        ("def f(g): f(g + 1); f(1)", "does not end"),
        ("def f: def g: f; g; f", "does not end"),
        ("def f: label $x | f; f", "deeply"),
        ("def f: . as $x | f | $x; f", "deeply"),
        ("def f: try f catch f; f", "deeply"),
        ("def f: try error(1) catch f; f", ""),
        ("[range(1e12)]", ""),
        ("range(1e12)", "output 1"),
        ("range(1e12) | {}", "more than 10000 events"),
        ("[range(0; 1; 0)]", ""),
        ("repeat(1)", "output 1"),
        ("[repeat(1)]", ""),
        ("last(repeat(1))", "does not end"),
        ("[limit(1e12; repeat(1))]", ""),
        ("first(repeat(empty))", "does not end"),
        ("until(false; . + 1)", ""),
        ("0 | until(false; . + 1)", "does not end"),
        ("0 | [while(true; . + 1)] | length", ""),
        ("null | path(repeat(.a))", "output 1"),
        ("null | first(path(def r: .a | r; r))", "does not end"),
        ("[recurse]|length | [recurse(. + 1)]", ""),
        ("\"a\" * 1e9", "of this size may"),
        ("\"a\" * 1e300", "of this size may"),
        ("reduce range(64) as $i (\"a\"; . + .)", "of this size may"),
        ("reduce range(64) as $i ([1]; . + .)", "of this size may"),
        ("reduce range(64) as $i (1; [., .])", "of this size may"),
        ("reduce range(64) as $i (1; [., .]) | tojson", "of this size may"),
        ("reduce range(64) as $i ({}; {a: ., b: .})", "of this size may"),
        ("reduce range(1e6) as $i (1; [.])", "nested too deeply"),
        ("reduce range(1e6) as $i (1; {a: .})", "nested too deeply"),
        ("null | .[1e12] = 1", "of this size may"),
        ("null | setpath([range(1e4) | \"a\"]; 1)", "deeply"),
        ("[range(3000)] | [.[] as $a | .[] as $b | $a * $b]", "does not end"),
        ("[range(20000)] | [combinations(3)]", ""),
        (
            "(\"a\" * 100000) | [range(1e5)] as $r | [$r[] as $x | startswith(\"b\")]",
            "",
        ),
        ("(\"a\" * 1000000) as $a | [range(1e5) | $a == $a]", "does not end"),
        ("(\"a\" * 100000) | [match(\"(a*)*b\"; \"g\")]", ""),
        ("\"a\" | test(\"((a{100}){100}){100}\")", "not a regular expression"),
        ("[range(1e5)] | sort_by(-.) | group_by(. % 2) | length", ""),
        ("def a: a, a; a", ""),
        ("def a: (a, a) | a; a", "deeply"),
        ("[.[]?, ..] | walk([.])", ""),
        ("\"x\" | ascii_downcase * 1e8", "of this size may"),
        ("(\"[\" * 10000) | fromjson", "nested too deeply"),
    ] {
        let first = run(program, "{}");
        if let Err(refusal) = &first {
            assert_eq!(refusal.reason, MAPPING, "{program}");
            assert!(refusal.error.contains(wanted), "{program}: {}", refusal.error);
        } else {
            assert!(
                wanted.is_empty(),
                "{program} was to be refused with {wanted:?}, and gave {first:?}"
            );
        }
        assert_eq!(first, run(program, "{}"), "{program}");
    }
}

/// What an endless loop has captured is dropped by recursion: a large record may capture much.
#[test]
fn what_a_run_leaves_behind_is_dropped() {
    let value = format!("\"{}\"", "x".repeat(1 << 20));
    for program in ["def f(g): f(g + 1); f(1)", "null | first(path(def r: .a | r; r))"] {
        let refusal = run(program, &value).unwrap_err();
        assert!(refusal.error.contains("does not end"), "{}", refusal.error);
    }
}

/// A large record may take more than a small one, on a larger stack too.
#[test]
fn a_large_record_is_mapped() {
    let items: Vec<String> = (0..20_000)
        .map(|number| format!(r#"{{"n": {number}, "k": "v{number}"}}"#))
        .collect();
    let value = format!("[{}]", items.join(","));
    let events = run(".value | {id: \"x\", sum: (map(.n) | add), last: .[-1].k}", &value).unwrap();
    assert!(
        events[0].contains("\"sum\":199990000") && events[0].contains("v19999"),
        "{}",
        events[0]
    );
}

/// Deep, and many, but within bounds: what needs the larger stack gives what it should.
#[test]
fn a_deep_recursion_that_ends_is_no_mistake() {
    gives("def f: if . == 0 then 0 else (. - 1 | f) + 1 end; f", "3000", "3000");
    gives("[range(20000)] | add", "null", "199990000");
}

#[test]
fn a_record_is_taken_whole_or_refused_whole() {
    let program = r#".value[] | {type: "conversation.deleted", data: {orgId: "o", conversationId: .}}"#;
    let mapping = Mapping::compile("chat.jq", program).unwrap();
    let mut memory = Events::default();
    match mapping.read(&record(br#"["a", "b"]"#), None, &mut memory) {
        Mapped::Events { events, unknown_types } => assert_eq!((events.len(), unknown_types), (2, 0)),
        other => panic!("{other:?}"),
    }
    match mapping.read(&record(br#"["a", ""]"#), None, &mut memory) {
        Mapped::Refused(refusal) => {
            assert_eq!(refusal.reason, "bad-id");
            assert!(refusal.error.starts_with("event 2 of chat.jq: "), "{}", refusal.error);
        }
        other => panic!("{other:?}"),
    }
    let none = Record {
        value: None,
        ..record(b"")
    };
    assert!(matches!(mapping.read(&none, None, &mut memory), Mapped::NullValue));
    let unknown = Mapping::compile("chat.jq", "{type: \"chat.renamed\"}").unwrap();
    match unknown.read(&record(b"1"), None, &mut memory) {
        Mapped::Events { events, unknown_types } => assert_eq!((events.len(), unknown_types), (0, 1)),
        other => panic!("{other:?}"),
    }
}

proptest! {
    /// The same record gives the same events, whatever was mapped before.
    #[test]
    fn the_same_record_gives_the_same_events(values in prop::collection::vec(".{0,40}", 1..8), offset in 0_i64..1_000_000) {
        let program = r#"
            def text: if type == "string" then . else tojson end;
            .value | [.. | scalars] | group_by(type) | .[] | sort | unique |
            {type: "message.upserted", data: {orgId: "o", text: (map(text) | join(" ")), n: length, k: (map(text) | map({key: ., value: 1}) | from_entries)}}"#;
        let mapping = Mapping::compile("chat.jq", program).unwrap();
        let again = Mapping::compile("chat.jq", program).unwrap();
        let (mut one, mut other) = (Events::default(), Events::default());
        let json = serde_json::to_vec(&values).unwrap();
        let record = Record { offset, ..record(&json) };
        mapping.run(&record, &mut one).unwrap();
        again.run(&Record { offset: 1, ..record }, &mut other).unwrap();
        again.run(&record, &mut other).unwrap();
        prop_assert_eq!(one.to_string(), other.to_string());
    }

    /// Any bytes are mapped without a panic, and JSON comes out as it went in.
    #[test]
    fn any_value_is_mapped(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let mapping = Mapping::compile("chat.jq", "{id: \"x\", v: .value}").unwrap();
        let mut events = Events::default();
        mapping.run(&record(&bytes), &mut events).unwrap();
        let event: serde_json::Value = serde_json::from_str(events.iter().next().unwrap()).unwrap();
        if let Ok(json) = serde_json::from_slice::<serde_json::Value>(&bytes) {
            prop_assert_eq!(&event["v"], &json);
        }
    }

    /// Values are JSON as serde_json reads it.
    #[test]
    fn json_is_read_and_written_as_it_is(json in json()) {
        let text = json.to_string();
        prop_assert_eq!(result(".", &text).unwrap(), json);
    }
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u32>().prop_map(|n| serde_json::json!(f64::from(n) / 8.0)),
        "\\PC{0,12}|[\\x00-\\x1f\"\\\\]{0,4}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 64, 16, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..16).prop_map(Into::into),
            prop::collection::btree_map("[a-z]{1,3}", inner, 0..16)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}
