//! The minutes as a picture: one panel under the other, all over the same time.

use std::fmt::Write as _;

use super::minute::Minute;

const WIDTH: f64 = 860.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 50.0;
/// Of a panel, and of what is between it and the next.
const PANEL: f64 = 110.0;
const GAP: f64 = 46.0;
const COLORS: [&str; 2] = ["#1f6feb", "#d1242f"];

type Series = (&'static str, fn(&Minute) -> f64);

const PANELS: [(&str, &[Series]); 7] = [
    ("freshness, ms", &[("p50", |m| m.p50_ms), ("p99", |m| m.p99_ms)]),
    (
        "cores",
        &[
            ("projector", |m| m.projector_cores),
            ("PostgreSQL", |m| m.postgresql_cores),
        ],
    ),
    ("WAL, bytes an event", &[("WAL", |m| m.wal_bytes_per_event)]),
    (
        "heap-only updates of conversations, %",
        &[("heap-only", |m| m.heap_only_share * 100.0)],
    ),
    (
        "dead rows, thousands; autovacuums so far",
        &[
            ("dead rows", |m| thousands(m.dead_rows)),
            ("autovacuums", |m| number(m.autovacuums)),
        ],
    ),
    (
        "on disk, MiB",
        &[
            ("heap", |m| mebibytes(m.heap_bytes)),
            ("indexes", |m| mebibytes(m.index_bytes)),
        ],
    ),
    (
        "resident set of the projector, MiB",
        &[("resident", |m| m.projector_mib)],
    ),
];

/// A picture of these minutes.
pub fn draw(title: &str, minutes: &[Minute]) -> String {
    let height = (PANEL + GAP).mul_add(number(PANELS.len()), TOP);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"{LEFT}\" y=\"26\" font-size=\"16\" font-weight=\"bold\">{title}</text>\n"
    );
    let end = minutes.last().map_or(1.0, |minute| minute.seconds).max(1.0);
    let mut top = TOP;
    for (title, series) in PANELS {
        panel(&mut out, top + 18.0, (title, series), minutes, end);
        top += PANEL + GAP;
    }
    out.push_str("</svg>\n");
    out
}

/// Writing to a String cannot fail, so results are dropped.
fn panel(out: &mut String, top: f64, (title, series): (&str, &[Series]), minutes: &[Minute], end: f64) {
    let values = series.iter().flat_map(|(_, value)| minutes.iter().map(value));
    let most = round_up(values.fold(0.0, f64::max));
    let (right, bottom) = (WIDTH - RIGHT, top + PANEL);
    let x = |seconds: f64| LEFT + seconds / end * (right - LEFT);
    let y = |value: f64| bottom - value / most * PANEL;
    let _ = writeln!(
        out,
        "<text x=\"{LEFT}\" y=\"{:.1}\" fill=\"#1f2328\">{title}</text>",
        top - 6.0
    );
    for part in [0.0, 0.5, 1.0] {
        let (at, label) = (y(most * part), label(most * part));
        let _ = writeln!(
            out,
            "<line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#d0d7de\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#59636e\">{label}</text>",
            LEFT - 6.0,
            at + 4.0
        );
    }
    for part in 0..=6 {
        let seconds = end * f64::from(part) / 6.0;
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#59636e\">{}</text>",
            x(seconds),
            bottom + 15.0,
            time(seconds, end)
        );
    }
    for (index, ((name, value), color)) in series.iter().zip(COLORS).enumerate() {
        let points: Vec<String> = minutes
            .iter()
            .map(|minute| format!("{:.1},{:.1}", x(minute.seconds), y(value(minute))))
            .collect();
        let _ = writeln!(
            out,
            "<polyline fill=\"none\" stroke=\"{color}\" stroke-width=\"1.5\" points=\"{}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"{color}\">{name}</text>",
            points.join(" "),
            number(index).mul_add(-90.0, right),
            top - 6.0
        );
    }
}

/// The next of 1, 2, 5, 10, 20, 50, …
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let scale = 10.0_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    let step = steps.into_iter().find(|step| step * scale >= value);
    step.unwrap_or(10.0) * scale
}

fn label(value: f64) -> String {
    if value >= 10.0 || value == 0.0 {
        format!("{value:.0}")
    } else {
        let text = format!("{value:.3}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

/// Minutes where there are some.
fn time(seconds: f64, end: f64) -> String {
    if end >= 360.0 {
        format!("{:.0} min", seconds / 60.0)
    } else {
        format!("{seconds:.0} s")
    }
}

fn thousands(count: i64) -> f64 {
    number(count) / 1_000.0
}

fn mebibytes(bytes: i64) -> f64 {
    number(bytes >> 10) / 1_024.0
}

/// What has a place in a picture fits into 32 bits.
fn number(count: impl TryInto<i32>) -> f64 {
    f64::from(count.try_into().unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_end_on_round_numbers() {
        let ends = [0.0, 0.03, 0.2, 1.0, 7.0, 99.0, 101.0, 4_900.0].map(|value| label(round_up(value)));
        assert_eq!(ends, ["1", "0.05", "0.2", "1", "10", "100", "200", "5000"]);
    }

    #[test]
    fn each_minute_is_a_point_of_each_line() {
        let minutes: Vec<Minute> = (1..=3)
            .map(|minute| Minute {
                seconds: f64::from(minute) * 60.0,
                p50_ms: 5.0,
                p99_ms: 20.0,
                dead_rows: 4_000,
                ..Minute::default()
            })
            .collect();
        let picture = draw("Live traffic", &minutes);
        let lines: usize = PANELS.iter().map(|(_, series)| series.len()).sum();
        assert_eq!(picture.matches("<polyline").count(), lines);
        // The median is a quarter of the way up, where the slowest is at the top.
        let (median, slowest) = ("points=\"326.7,150.5 ", "points=\"326.7,68.0 ");
        assert!(picture.contains(median) && picture.contains(slowest), "{picture}");
        assert!(picture.trim_end().ends_with("</svg>"));
    }
}
