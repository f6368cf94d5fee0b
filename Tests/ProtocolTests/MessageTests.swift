import ByteCoding
import ClientProtocol
import ClusterPrimitives
import FrameFuzzing
import PeerProtocol
import TestSupport
import Testing

@Suite struct `Messages` {
    private static func codec(_ name: String) -> MessageCodec? {
        let kind = name.split(separator: ",").first.map(String.init) ?? name
        return MessageCodec.all.first { $0.name == kind }
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef")
        let text = bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return stride(from: 0, to: text.count, by: 64)
            .map { String(text[$0..<min($0 + 64, text.count)]) }
            .joined(separator: "\n")
    }

    private static func bytes(_ hex: String) -> [UInt8] {
        let digits = hex.filter { !$0.isNewline }.map { $0.hexDigitValue ?? 0 }
        return stride(from: 0, to: digits.count - 1, by: 2).map {
            UInt8(digits[$0] << 4 | digits[$0 + 1])
        }
    }

    @Test(arguments: try Scenario.all(in: "messages"))
    func `are written as they always were`(_ scenario: Scenario) throws {
        let name = scenario.command.joined(separator: " ")
        let sample = try #require(try SampleMessages.all()[name])
        #expect(try scenario.matches(Self.hex(sample)), "\(name): \(Self.hex(sample))")
    }

    @Test(arguments: try Scenario.all(in: "messages"))
    func `of old are read, and written again byte for byte`(_ scenario: Scenario) throws {
        let name = scenario.command.joined(separator: " ")
        let body = Self.bytes(scenario.expected)
        let codec = try #require(Self.codec(name))
        #expect(try codec.recode(body) == body)
    }

    @Test func `of every kind have golden bytes`() throws {
        let golden = Set(
            try Scenario.all(in: "messages").map { $0.command.joined(separator: " ") }
        )
        #expect(golden == Set(try SampleMessages.all().keys))
        for codec in MessageCodec.all { #expect(golden.contains(codec.name)) }
    }

    @Test func `cut short anywhere are refused`() throws {
        for (name, body) in try SampleMessages.all() {
            let codec = try #require(Self.codec(name))
            // The tail of a forwarded request is the client's body, of any length.
            let shortest = name == "peer forward" ? 6 : body.count
            for count in 0..<shortest {
                let short = Array(body.prefix(count))
                #expect(throws: CodingError.self, "\(name) cut to \(count)") {
                    try codec.recode(short)
                }
            }
        }
    }

    @Test func `with a byte behind their end are refused`() throws {
        for (name, body) in try SampleMessages.all() where name != "peer forward" {
            let codec = try #require(Self.codec(name))
            #expect(throws: CodingError.self, "\(name)") { try codec.recode(body + [0]) }
        }
    }

    @Test func `with any byte changed are refused or come back as they are`() throws {
        for (name, body) in try SampleMessages.all() {
            let codec = try #require(Self.codec(name))
            for index in body.indices {
                for value in [0, 1, 2, 0x7F, 0x80, 0xFF, body[index] ^ 1, body[index] ^ 0x80] {
                    var changed = body
                    changed[index] = value
                    guard let again = try? codec.recode(changed) else { continue }
                    #expect(again == changed, "\(name), byte \(index) set to \(value)")
                }
            }
        }
    }

    @Test func `that declare more elements than there can be are refused by their number`() throws {
        var counts = ByteWriter()
        counts.uint32(.max)
        let many = counts.bytes
        let level: [UInt8] = [1, 1]
        let lists: [(String, [UInt8])] = [
            ("client fault", many),
            ("client upkeepReport", many),
            (
                "client upkeepReport",
                [1, 0, 0, 0, 1, 0, 0, 0, 97, 0] + .init(repeating: 0, count: 64) + many
            ),
            ("client statusReport", [1] + many),
            ("client value", [1] + many),
            ("client value", [3] + many),
            ("client value", [4] + many),
            (
                "client update",
                [7, 0, 0, 0, 0, 0, 0, 0, 0] + .init(repeating: 0, count: 8) + [2] + many
            ),
            (
                "client createKeyspace",
                [1, 0, 0, 0, 97, 1] + .init(repeating: 0, count: 8) + level + [0] + many
            ),
            ("client page", .init(repeating: 0, count: 18) + many),
            ("peer scanReply", [1, 1] + .init(repeating: 0, count: 12) + many),
            (
                "client failure",
                [1, 0, 0, 0, 0, 0] + .init(repeating: 0, count: 8) + many
            ),
        ]
        for (name, body) in lists {
            let codec = try #require(Self.codec(name))
            #expect {
                try codec.recode(body)
            } throws: { error in
                guard case .tooLong(_, let length, let limit)? = error as? CodingError else {
                    return false
                }
                return length == UInt64(UInt32.max) && limit <= ReplicaPageLimit.records
            }
        }
    }

    private enum ReplicaPageLimit {
        static let records = 100_000
    }

    @Test func `that declare a long text are refused before it is there`() throws {
        let codec = try #require(Self.codec("client dropKeyspace"))
        let body: [UInt8] = [0x01, 0x01, 0, 0]
        #expect(throws: CodingError.tooLong(field: "keyspace name", length: 257, limit: 256)) {
            try codec.recode(body)
        }
    }

    @Test func `carry texts in valid UTF-8 only`() throws {
        let codec = try #require(Self.codec("client dropKeyspace"))
        #expect(throws: CodingError.self) { try codec.recode([2, 0, 0, 0, 0xC3, 0x28]) }
    }

    @Test(arguments: [Double.nan, -1, .infinity, 1e300, -.infinity, 0.29, 43_000_000])
    func `carry any φ without a trap`(_ phi: Double) throws {
        let status = StatusResponse(nodes: [
            StatusResponse.Node(
                id: NodeID(1),
                state: .up,
                phi: phi,
                silence: 0,
                load: 0,
                uptime: 0,
                version: "",
                incarnation: "",
                epoch: 1
            )
        ])
        let body = SampleMessages.written(status.encode)
        let codec = try #require(Self.codec("client statusReport"))
        #expect(try codec.recode(body) == body)
    }

    @Test func `survive mutation, alone and in streams`() throws {
        let seed: UInt64 = 0x5EED
        var random = SeededRandom(seed: seed)
        let samples = try SampleMessages.all().sorted { $0.key < $1.key }
        var accepted = 0
        for _ in 0..<20_000 {
            var stream = ByteWriter()
            for _ in 0..<random.number(in: 1...3) {
                let (name, body) = random.pick(samples)
                let kind = try #require(Self.codec(name)).kind
                let header = Frame.Header(kind: kind, correlation: random.next())
                let frame = stream.beginFrame(header)
                stream.raw(body)
                stream.endFrame(frame)
            }
            if random.chance(1, in: 4) { stream.raw(SampleMessages.record) }
            var bytes = stream.bytes
            for _ in 0..<random.below(4) { Self.mutate(&bytes, &random) }
            accepted += FrameFuzzing.exercise(bytes)
        }
        #expect(accepted > 10_000, "seed \(seed)")
    }

    private static func mutate(_ bytes: inout [UInt8], _ random: inout SeededRandom) {
        guard !bytes.isEmpty else { return }
        let index = random.below(bytes.count)
        switch random.below(6) {
        case 0: bytes[index] ^= 1 << UInt8(random.below(8))
        case 1: bytes[index] = random.pick([0, 1, 0x7F, 0x80, 0xFF])
        case 2: bytes.removeSubrange(index...)
        case 3: bytes.insert(contentsOf: random.bytes(random.number(in: 1...8)), at: index)
        case 4:
            let end = min(bytes.count, index + random.number(in: 1...16))
            bytes.removeSubrange(index..<end)
        default:
            let end = min(bytes.count, index + 4)
            for place in index..<end { bytes[place] = UInt8(random.below(2)) * 255 }
        }
    }
}
