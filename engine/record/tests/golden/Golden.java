// Writes the golden batches beside this file, and reads batches that ringlog-record built, with Apache Kafka's own classes
// (org.apache.kafka:kafka-clients and what it depends on, on the class path):
//
//   java -cp "$JARS" Golden.java write DIRECTORY
//   java -cp "$JARS" Golden.java read FILE...       prints every record of every batch, after checking the CRC
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import org.apache.kafka.common.compress.*;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.internal.*;
import org.apache.kafka.common.record.TimestampType;

public class Golden {
    static byte[] utf8(String text) {
        return text == null ? null : text.getBytes(StandardCharsets.UTF_8);
    }

    static byte[] batch(CompressionType type) {
        MemoryRecordsBuilder builder = new MemoryRecordsBuilder(ByteBuffer.allocate(4096), (byte) 2, Compression.of(type).build(),
            TimestampType.CREATE_TIME, 0L, -1L, 4711L, (short) 3, 99, false, false, -1, 4096);
        Header[] headers = {new RecordHeader("trace", utf8("0a1b")), new RecordHeader("empty", new byte[0]), new RecordHeader("null", (byte[]) null)};
        builder.append(1700000000000L, utf8("key-0"), utf8("value-0 value-0 value-0 value-0 value-0 value-0"), headers);
        builder.append(1700000000250L, null, utf8("no key"), new Header[0]);
        builder.append(1699999999000L, utf8("key-0"), null, new Header[0]);
        builder.append(1700000000100L, utf8(""), utf8("x".repeat(200)), new Header[0]);
        return bytes(builder.build());
    }

    static byte[] bytes(MemoryRecords records) {
        byte[] bytes = new byte[records.sizeInBytes()];
        records.buffer().duplicate().get(bytes);
        return bytes;
    }

    static byte[] legacy(byte magic) {
        return bytes(MemoryRecords.withRecords(magic, Compression.NONE, new SimpleRecord(1700000000000L, utf8("k"), utf8("v"))));
    }

    static byte[] marker(ControlRecordType type) {
        return bytes(MemoryRecords.withEndTransactionMarker(12L, 1700000000000L, 5, 4711L, (short) 3, new EndTransactionMarker(type, 8)));
    }

    public static void main(String[] args) throws Exception {
        if (args[0].equals("write")) {
            Path directory = Paths.get(args[1]);
            for (CompressionType type : new CompressionType[] {CompressionType.NONE, CompressionType.GZIP, CompressionType.SNAPPY, CompressionType.LZ4, CompressionType.ZSTD})
                Files.write(directory.resolve(type.name + ".batch"), batch(type));
            Files.write(directory.resolve("commit.batch"), marker(ControlRecordType.COMMIT));
            Files.write(directory.resolve("abort.batch"), marker(ControlRecordType.ABORT));
            Files.write(directory.resolve("v0.message"), legacy((byte) 0));
            Files.write(directory.resolve("v1.message"), legacy((byte) 1));
            return;
        }
        for (int at = 1; at < args.length; at++)
            for (MutableRecordBatch batch : MemoryRecords.readableRecords(ByteBuffer.wrap(Files.readAllBytes(Paths.get(args[at])))).batches()) {
                batch.ensureValid();
                System.out.println(Paths.get(args[at]).getFileName() + " " + batch);
                for (org.apache.kafka.common.record.internal.Record record : batch)
                    System.out.println(record.offset() + " " + record.timestamp() + " " + record.keySize() + " " + record.valueSize() + " "
                        + (record.hasValue() ? record.value().hashCode() : 0) + " " + Arrays.toString(record.headers()));
            }
    }
}
