//! Prometheus' text format, as far as tests read it.

/// The sum of a metric's series whose labels contain each of `labels` (`outcome="hit"`); `None` without such a series.
#[must_use]
pub fn sum(text: &str, name: &str, labels: &[&str]) -> Option<i64> {
    let series = text.lines().filter(|line| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with([' ', '{'])) && labels.iter().all(|label| line.contains(label))
    });
    let values = series.filter_map(|line| line.rsplit_once(' ')?.1.parse::<i64>().ok());
    values.reduce(|sum, value| sum + value)
}

#[cfg(test)]
mod tests {
    use super::sum;

    const TEXT: &str = "# HELP a_total Of a.\na_total{b=\"1\"} 2\na_total{b=\"2\"} 3\na_total_more 7\n";

    #[test]
    fn series_of_one_metric_are_summed_and_no_others() {
        assert_eq!(sum(TEXT, "a_total", &[]), Some(5));
        assert_eq!(sum(TEXT, "a_total", &["b=\"2\""]), Some(3));
        assert_eq!(sum(TEXT, "a", &[]), None);
    }
}
