//! Whether the client still knows a broker.
//!
//! librdkafka removes brokers that a metadata answer does not name, and does not go back to the bootstrap servers when none is left
//! ([librdkafka 5301](https://github.com/confluentinc/librdkafka/issues/5301), seen in 2.12.1): it asks nobody any more, for ever, and calls that a transport
//! failure. Brokers give such an answer when the controllers have not heard of any of them for `broker.session.timeout.ms`: a cluster of one broker that
//! stood still for ten seconds, or controllers that come back before the brokers. Its own figures tell, and a new client has the bootstrap servers.

use rdkafka::Statistics;

/// What is no address: the client's own queue, and the coordinator, which is one of the others.
const NO_ADDRESS: [&str; 2] = ["internal", "logical"];

/// Whether there is no broker left that the client could ask.
pub(super) fn are_forgotten(statistics: &Statistics) -> bool {
    let mut brokers = statistics.brokers.values();
    brokers.all(|broker| NO_ADDRESS.contains(&broker.source.as_str()))
}

#[cfg(test)]
mod tests {
    use rdkafka::statistics::Broker;

    use super::*;

    fn of(sources: &[&str]) -> Statistics {
        let broker = |source: &&str| {
            let source = (*source).to_owned();
            let state = "DOWN".to_owned();
            (
                source.clone(),
                Broker {
                    source,
                    state,
                    ..Broker::default()
                },
            )
        };
        Statistics {
            brokers: sources.iter().map(broker).collect(),
            ..Statistics::default()
        }
    }

    #[test]
    fn away_is_not_forgotten() {
        for known in [
            &["configured"][..],
            &["internal", "learned"],
            &["logical", "configured"],
        ] {
            assert!(!are_forgotten(&of(known)), "{known:?}");
        }
        for forgotten in [&[][..], &["internal"], &["internal", "logical"]] {
            assert!(are_forgotten(&of(forgotten)), "{forgotten:?}");
        }
    }
}
