//! How a broker of tests is configured.

use std::path::Path;

use crate::KafkaOptions;

/// What the broker logs.
pub(crate) const LOG4J: &str = "\
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %c{1}: %m%n
";

/// `server.properties` of a broker with a directory and ports of its own.
pub(crate) fn server_properties(
    dir: &Path,
    port: u16,
    controller: u16,
    listeners: &[(String, u16)],
    options: &KafkaOptions,
) -> String {
    let more = listeners
        .iter()
        .map(|(name, port)| format!("{name}://127.0.0.1:{port}"));
    let protocols = options.listeners.iter();
    let protocols = protocols.map(|(name, protocol)| format!("{name}:{protocol}"));
    let listed = |first: &str, more: Vec<String>| [&[first.to_owned()], more.as_slice()].concat().join(",");
    let plain = format!("PLAINTEXT://127.0.0.1:{port}");
    let (more, protocols): (Vec<_>, Vec<_>) = (more.collect(), protocols.collect());
    let mut lines = vec![
        "process.roles=broker,controller".to_owned(),
        "node.id=1".to_owned(),
        listed(
            &format!("listeners={plain},CONTROLLER://127.0.0.1:{controller}"),
            more.clone(),
        ),
        listed(&format!("advertised.listeners={plain}"), more),
        listed(
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            protocols,
        ),
        "controller.listener.names=CONTROLLER".to_owned(),
        format!("controller.quorum.voters=1@127.0.0.1:{controller}"),
        format!("log.dirs={}", dir.join("data").display()),
        "offsets.topic.replication.factor=1".to_owned(),
        "offsets.topic.num.partitions=4".to_owned(),
        "transaction.state.log.replication.factor=1".to_owned(),
        "transaction.state.log.min.isr=1".to_owned(),
        "share.coordinator.state.topic.replication.factor=1".to_owned(),
        "share.coordinator.state.topic.min.isr=1".to_owned(),
        "group.initial.rebalance.delay.ms=0".to_owned(),
        // Fault tests wait for sessions to time out, a killed broker's own one included.
        "broker.session.timeout.ms=3000".to_owned(),
        "broker.heartbeat.interval.ms=500".to_owned(),
        "group.min.session.timeout.ms=1000".to_owned(),
        "group.consumer.min.session.timeout.ms=1000".to_owned(),
        "group.consumer.min.heartbeat.interval.ms=100".to_owned(),
        // How late a member hears of its partitions; the default is 5 s.
        "group.consumer.heartbeat.interval.ms=1000".to_owned(),
        // Tests publish records of other years.
        "log.retention.ms=-1".to_owned(),
        // An event may hold a text of a megabyte and more.
        "message.max.bytes=16777216".to_owned(),
        "replica.fetch.max.bytes=16777216".to_owned(),
    ];
    lines.extend(options.settings.iter().map(|(name, value)| format!("{name}={value}")));
    lines.join("\n") + "\n"
}
