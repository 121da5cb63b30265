import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Writes records of topics as `recap map` reads them: `java Dump.java BROKERS TOPIC,TOPIC COUNT`. */
public class Dump {
  static String json(String text) {
    StringBuilder out = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      if (c == '"' || c == '\\') out.append('\\').append(c);
      else if (c < ' ') out.append(String.format("\\u%04x", (int) c));
      else out.append(c);
    }
    return out.append('"').toString();
  }

  public static void main(String[] arguments) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", arguments[0]);
    settings.put("group.id", "dump-" + arguments[1]);
    settings.put("enable.auto.commit", "false");
    settings.put("auto.offset.reset", "earliest");
    settings.put("metadata.max.age.ms", "500");
    int count = Integer.parseInt(arguments[2]);
    List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
    try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      consumer.subscribe(List.of(arguments[1].split(",")));
      long deadline = System.currentTimeMillis() + 60_000;
      while (records.size() < count && System.currentTimeMillis() < deadline) consumer.poll(Duration.ofMillis(500)).forEach(records::add);
      // What comes too late would be missing unnoticed.
      consumer.poll(Duration.ofSeconds(2)).forEach(records::add);
    }
    if (records.size() != count) {
      System.err.println(records.size() + " records instead of " + count);
      System.exit(1);
    }
    records.sort(Comparator.comparing((ConsumerRecord<byte[], byte[]> r) -> r.topic()).thenComparing(ConsumerRecord::offset));
    for (var record : records) {
      StringJoiner headers = new StringJoiner(", ", "{", "}");
      record.headers().forEach(h -> headers.add(json(h.key()) + ": " + json(h.value() == null ? "" : new String(h.value(), StandardCharsets.UTF_8))));
      StringJoiner line = new StringJoiner(", ", "{", "}");
      line.add("\"partition\": " + record.partition()).add("\"offset\": " + record.offset()).add("\"timestamp\": " + record.timestamp());
      if (record.key() != null) line.add("\"key\": " + json(new String(record.key(), StandardCharsets.UTF_8)));
      line.add("\"headers\": " + headers);
      if (record.value() != null) line.add("\"value\": " + new String(record.value(), StandardCharsets.UTF_8));
      System.out.println(line);
    }
  }
}
