import ArgumentParser
import ClusterPrimitives
import StarlingClient
import Testing

@testable import starling

@Suite struct `Arguments of commands` {
    @Test(arguments: [
        ("500ms", Duration.milliseconds(500)), ("2s", .seconds(2)), ("1h", .seconds(3600)),
        ("7d", .seconds(7 * 86_400)), ("1.5s", .milliseconds(1500)), ("3m", .seconds(180)),
    ])
    func `a duration is a number and a unit`(_ text: String, _ duration: Duration) {
        #expect(DurationText(text)?.duration == duration)
    }

    @Test(arguments: [
        "", "s", "2", "-1s", "1e3s", "2 s", "2w", "1..5s", ".", "9999999999999d", "nanms", "٣s",
    ])
    func `anything else is no duration`(_ text: String) {
        #expect(DurationText(text) == nil)
    }

    @Test func `a duration is shown in the largest unit that leaves no rest`() {
        #expect(DurationText.text(.milliseconds(1500)) == "1500ms")
        #expect(DurationText.text(.seconds(120)) == "2m")
        #expect(DurationText.text(.zero) == "0ms")
    }

    @Test func `a key keeps its slashes, and needs a keyspace`() {
        #expect(KeyArgument(argument: "demo/a/b")?.keyspace == "demo")
        #expect(KeyArgument(argument: "demo/a/b").map { $0.key } == Array("a/b".utf8))
        #expect(KeyArgument(argument: "demo/")?.key == [])
        for text in ["demo", "/a", ""] { #expect(KeyArgument(argument: text) == nil) }
    }

    @Test func `replication is a list of datacenters`() {
        #expect(
            ReplicationArgument(argument: "dc1=3,dc2=2")?.replication == [
                KeyspaceDescription.Replication(datacenter: "dc1", replicas: 3),
                KeyspaceDescription.Replication(datacenter: "dc2", replicas: 2),
            ]
        )
        for text in ["", "dc1", "dc1=", "=3", "dc1=3,", "dc1=x", "dc1=-1", "dc1=3=4"] {
            #expect(ReplicationArgument(argument: text) == nil)
        }
    }

    @Test func `an unknown level lists those that there are`() {
        #expect {
            _ = try ConsistencyOptions.level("QORUM")
        } throws: { error in
            let message = (error as? ValidationError)?.message ?? ""
            return message.contains("LOCAL_QUORUM") && message.contains("EACH_QUORUM")
        }
    }

    @Test func `a context that is none is refused as invalid`() throws {
        #expect(try ContextArgument.bytes(nil) == [])
        #expect(try ContextArgument.bytes("AQ") == [1])
        for text in ["!!", "A", "", "AQ=="] {
            #expect {
                _ = try ContextArgument.bytes(text)
            } throws: { ($0 as? CommandError)?.exit == .usage }
        }
    }

    @Test func `base64url comes back, without characters that need quoting`() {
        var random = SeededRandom(seed: 3)
        for count in 0..<64 {
            let bytes = random.bytes(count)
            let text = Base64URL.text(bytes)
            #expect(Base64URL.bytes(text) == bytes)
            #expect(!text.contains { "+/=".contains($0) })
        }
    }

    @Test func `a cursor that was cut is refused as invalid`() throws {
        let bytes = [UInt8](repeating: 0, count: 13)
        #expect(try CursorText.position(Base64URL.text(bytes)).bytes == bytes)
        #expect(throws: CommandError.self) {
            _ = try CursorText.position(Base64URL.text(Array(bytes.dropLast())))
        }
    }

    @Test func `a distribution of keys is uniform or zipf with its skew`() {
        #expect(KeyDistribution(argument: "uniform") == .uniform)
        #expect(KeyDistribution(argument: "zipf:0.99") == .zipf(0.99))
        for text in ["zipf", "zipf:", "zipf:1", "zipf:-1", "zipf:nan", "normal"] {
            #expect(KeyDistribution(argument: text) == nil)
        }
    }

    @Test func `a skewed distribution prefers the first keys and reaches no key beyond the last`() {
        var picker = KeyPicker(.zipf(0.99), count: 100, seed: 1)
        var counts = [Int](repeating: 0, count: 100)
        for _ in 0..<20_000 { counts[picker.next()] += 1 }
        #expect(counts[0] > counts[9] && counts[9] > counts[99])
        #expect(counts[99] > 0)
    }
}
