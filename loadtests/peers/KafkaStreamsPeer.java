import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/** The logic of logic.py in Kafka Streams: a persistent store with changelog and cache, one stream thread. */
public final class KafkaStreamsPeer {
    private static final Map<String, Integer> POINTS =
            Map.of("page_viewed", 1, "email_opened", 2, "downloaded", 8, "order_completed", 20);
    private static final int CAP = 20;
    private static final AtomicLong DONE = new AtomicLong();

    private static final class Scorer implements Processor<byte[], byte[], byte[], byte[]> {
        private final ObjectMapper json = new ObjectMapper();
        private ProcessorContext<byte[], byte[]> context;
        private KeyValueStore<byte[], byte[]> rows;

        @Override
        public void init(ProcessorContext<byte[], byte[]> given) {
            context = given;
            rows = given.getStateStore("rows");
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            try {
                step(record);
            } catch (java.io.IOException error) {
                throw new IllegalStateException(error);
            }
            DONE.incrementAndGet();
        }

        // The row is JSON, as Faust has it.
        private void step(Record<byte[], byte[]> record) throws java.io.IOException {
            JsonNode event = json.readTree(record.value());
            byte[] stored = rows.get(record.key());
            ObjectNode row = stored == null ? null : (ObjectNode) json.readTree(stored);
            if (row == null) {
                row = json.createObjectNode().put("score", 0).put("events", 0).put("consent", false).put("email", "");
                row.putArray("sent");
            }
            String kind = event.get("type").asText();
            String at = event.get("occurred_at").asText();
            row.put("events", row.get("events").asLong() + 1);
            if (kind.equals("profile_updated")) {
                row.put("email", event.get("properties").path("email").asText());
            } else if (kind.equals("consent_granted")) {
                row.put("consent", true);
            }
            row.put("score", row.get("score").asLong() + POINTS.getOrDefault(kind, 0));
            boolean answered = kind.equals("downloaded") || kind.equals("order_completed");
            if (answered && row.get("consent").asBoolean() && !row.get("email").asText().isEmpty()) {
                var sent = json.createArrayNode();
                for (JsonNode other : row.get("sent")) {
                    if (other.asText().regionMatches(0, at, 0, 10)) {
                        sent.add(other);
                    }
                }
                if (sent.size() < CAP) {
                    sent.add(at);
                    row.set("sent", sent);
                    ObjectNode command = json.createObjectNode()
                            .put("command_id", event.get("event_id").asText())
                            .put("channel", "email")
                            .put("contact_id", event.get("contact_id").asText())
                            .put("program", "answer")
                            .put("template", "answer")
                            .put("purpose", "marketing")
                            .put("decided_at", at);
                    context.forward(record.withValue(json.writeValueAsBytes(command)));
                }
            }
            rows.put(record.key(), json.writeValueAsBytes(row));
        }
    }

    public static void main(String[] arguments) throws InterruptedException {
        Properties told = new Properties();
        Map<String, String> environment = System.getenv();
        told.put("application.id", "streams");
        told.put("bootstrap.servers", environment.get("BROKER"));
        told.put("state.dir", environment.get("STATE"));
        told.put("auto.offset.reset", "earliest");
        told.put("num.stream.threads", "1");
        told.put("processing.guarantee", environment.get("GUARANTEE"));
        told.put("statestore.cache.max.bytes", "10485760");
        StreamsBuilder builder = new StreamsBuilder();
        builder.addStateStore(Stores.keyValueStoreBuilder(
                Stores.persistentKeyValueStore("rows"), Serdes.ByteArray(), Serdes.ByteArray()).withCachingEnabled());
        builder.stream(environment.get("TOPIC"), Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
                .process(Scorer::new, "rows")
                .to("streams-commands", Produced.with(Serdes.ByteArray(), Serdes.ByteArray()));
        KafkaStreams streams = new KafkaStreams(builder.build(), told);
        streams.start();
        while (true) {
            Thread.sleep(50);
            System.out.println(DONE.get());
        }
    }
}
