import ArgumentParser
import ClusterPrimitives
import Testing

@testable import StarlingClient
@testable import starling

@Suite struct `Commands of counters, sets, maps and siblings` {
    private func parsed<Command: ParsableCommand>(
        _ type: Command.Type,
        _ arguments: String...
    ) throws -> Command {
        try #require(try Starling.parseAsRoot(arguments) as? Command)
    }

    private func value(_ text: String) -> StoredValue {
        StoredValue(
            bytes: Array(text.utf8),
            version: ValueVersion(time: WallClockTime(milliseconds: 0), counter: 0, node: "n1"),
            expiry: nil
        )
    }

    private func read(_ contents: StoredContents) -> GetResult {
        GetResult(
            contents: contents,
            context: [1],
            consistency: .quorum,
            coordinator: "n1",
            required: 2,
            responded: 2,
            repaired: 0,
            trace: []
        )
    }

    private func written(siblings: Int = 0) -> PutResult {
        PutResult(
            version: value("").version,
            winner: nil,
            context: [1],
            consistency: .quorum,
            coordinator: "n1",
            acknowledged: 2,
            required: 2,
            shadowed: .no,
            siblings: siblings,
            sum: 0,
            trace: []
        )
    }

    private let map = StoredContents.map([
        MapField(name: Array("name".utf8), contents: .register(Array("Ada".utf8))),
        MapField(name: Array("roles".utf8), contents: .set([[0xFF], Array("b".utf8)])),
        MapField(name: Array("visits".utf8), contents: .counter(-3)),
    ])

    @Test(arguments: [
        ["-3"], ["-12", "-c", "ONE"], ["--", "-3"], ["4"], ["9223372036854775807"],
        ["-9223372036854775808"],
    ])
    func `an amount may be negative, before and behind options`(_ arguments: [String]) throws {
        let root = try Starling.parseAsRoot(["counter", "add", "k/x"] + arguments)
        let command = try #require(root as? CounterAddCommand)
        let amount = arguments.lazy.compactMap { Int64($0) }.first
        #expect(try DashedArgument.amount(of: command.amount) == amount)
        #expect(command.target.key == KeyArgument(argument: "k/x"))
    }

    @Test(arguments: [
        ["counter", "add", "k/x", "many"], ["counter", "add", "k/x", "1.5"],
        ["counter", "add", "k/x", "9223372036854775808"], ["counter", "add", "k/x", "1", "2"],
        ["counter", "add", "k/x", "--bogus"], ["counter", "add", "k/x", "--operation-id", ""],
        ["set", "add", "k/x"], ["set", "contains", "k/x"], ["map", "put", "k/x", "f"],
        ["map", "put", "k/x", "f", "v", "--kind", "counter"],
        ["map", "put", "k/x", "f", "v", "--kind", "list"], ["map", "put", "k/x", "f", "--"],
        ["map", "remove", "k/x", "f", "v", "--kind", "register"],
        ["map", "remove", "k/x", "f", "1", "--kind", "counter"],
        ["put", "k/x", "v", "--timestamp", "0"], ["put", "k/x", "v", "--timestamp", "now"],
    ])
    func `what makes no sense is a usage error`(_ arguments: [String]) {
        #expect {
            _ = try Starling.parseAsRoot(arguments)
        } throws: { Starling.exitCode(for: $0) == .validationFailure }
    }

    @Test func `members and fields are taken as they are written`() throws {
        let add = try parsed(SetAddCommand.self, "set", "add", "k/x", "a", "b", "--", "-c")
        #expect(add.members == ["a", "b", "-c"])
        let put = try parsed(
            MapPutCommand.self,
            "map",
            "put",
            "k/x",
            "f",
            "-5",
            "--kind",
            "counter"
        )
        #expect(put.field == "f" && put.kind == .counter)
        #expect(try DashedArgument.amount(of: put.value) == -5)
        let remove = try parsed(
            MapRemoveCommand.self,
            "map",
            "remove",
            "k/x",
            "f",
            "v",
            "--kind",
            "lww-set"
        )
        #expect(remove.value == "v" && remove.kind == .lastWriterSet)
    }

    @Test func `contents have one shape in JSON`() {
        for (contents, text) in [
            (StoredContents.counter(10), #"{"value":10}"#),
            (.set([Array("a".utf8), [0xFF]]), #"{"members":["a",{"base64":"/w=="}]}"#),
            (.set([]), #"{"members":[]}"#),
            (.values([]), #"{"values":[]}"#),
            (
                map,
                #"{"fields":[{"field":"name","kind":"register","value":"Ada"},"#
                    + #"{"field":"roles","kind":"set","value":[{"base64":"/w=="},"b"]},"#
                    + #"{"field":"visits","kind":"counter","value":-3}]}"#
            ),
        ] {
            #expect(JSONValue.object(contents.json).text == text)
        }
    }

    @Test func `contents have a line for each value, member or field`() {
        func lines(_ contents: StoredContents) -> [[UInt8]] { contents.lines }
        #expect(lines(.counter(-3)) == [Array("-3".utf8)])
        #expect(lines(.set([[0xFF], [1]])) == [[0xFF], [1]])
        #expect(lines(.values([value("a"), value("b")])) == [Array("a".utf8), Array("b".utf8)])
        #expect(
            lines(map) == [
                Array("name\tregister\tAda".utf8), Array("roles\tset\t".utf8) + [0xFF],
                Array("roles\tset\tb".utf8), Array("visits\tcounter\t-3".utf8),
            ]
        )
    }

    @Test func `a read's JSON counts siblings only of values`() throws {
        let key = try #require(KeyArgument(argument: "k/x"))
        func text(_ result: GetResult) -> String {
            ReadReport.json(result, key: key, found: result.contents.json).text
        }
        #expect(
            text(read(.counter(10))) == """
                {"keyspace":"k","key":"x","value":10,"context":"AQ","consistency":"QUORUM",\
                "coordinator":"n1","replicas":{"required":2,"responded":2},"repaired":0}
                """
        )
        #expect(text(read(.values([value("a"), value("b")]))).contains(#""siblings":2"#))
    }

    @Test func `the note about siblings holds the command that resolves them`() throws {
        let key = try #require(KeyArgument(argument: "carts/x"))
        let note = ReadReport.resolution(read(.values([value("a"), value("b")])), key: key)
        #expect(note.contains("2 values"))
        #expect(note.hasSuffix("starling put carts/x VALUE --context AQ"))
    }

    @Test func `a write's JSON tells siblings and sums only where there are any`() throws {
        let key = try #require(KeyArgument(argument: "k/x"))
        let plain = WriteReport.json(written(), key: key).text
        #expect(!plain.contains("siblings") && !plain.contains(#""value""#))
        #expect(WriteReport.json(written(siblings: 1), key: key).text.contains(#""siblings":1"#))
        #expect(WriteReport.json(written(), key: key, sum: 0).text.contains(#""value":0"#))
    }

    @Test func `a write that leaves siblings is a conflict where the caller asked`() throws {
        let key = try #require(KeyArgument(argument: "k/x"))
        let output = try OutputOptions.parse(["-o", "json"])
        #expect {
            try WriteReport.print(
                written(siblings: 2),
                key: key,
                output: output,
                failsOnLoss: true
            )
        } throws: { error in
            guard let error = error as? CommandError else { return false }
            return error.exit == .conflict
                && error.json.text.contains(#""written":"yes""#)
                && error.json.text.hasSuffix(
                    #""siblings":2,"version":"1970-01-01T00:00:00.000Z/0/n1","context":"AQ"}}"#
                )
        }
    }

    @Test func `a refusal for too many siblings shows them as a read does`() {
        let error = CommandError(
            StarlingError(.conflict, "m", values: [value("a")], context: [1])
        )
        #expect(error.exit == .conflict)
        #expect(
            error.json.text == """
                {"error":{"code":"conflict","message":"m","written":"no","values":[{"value":"a",\
                "version":"1970-01-01T00:00:00.000Z/0/n1","expires_at":null}],"context":"AQ"}}
                """
        )
    }

    @Test func `a scan has a record for each sibling, and one for anything else`() {
        func texts(_ contents: StoredContents, keysOnly: Bool = false) -> [String] {
            let entry = ScanPage.Entry(key: Array("x".utf8), contents: contents)
            return ScanCommand.json(entry, keysOnly: keysOnly).map(\.text)
        }
        let siblings = StoredContents.values([value("a"), value("b")])
        #expect(texts(siblings).count == 2)
        #expect(texts(siblings)[1].hasPrefix(#"{"key":"x","value":"b","version":"#))
        #expect(texts(siblings, keysOnly: true).count == 1)
        #expect(texts(.counter(3)) == [#"{"key":"x","value":3}"#])
        #expect(texts(.counter(0), keysOnly: true) == [#"{"key":"x"}"#])
        #expect(texts(map).count == 1)
    }

    @Test func `the members looked for are told apart`() {
        let json = SetContainsCommand.json([[97], [98]], among: [[97], [99]])
        #expect(JSONValue.object(json).text == #"{"present":["a"],"absent":["b"]}"#)
    }

    @Test func `every mode has a name`() {
        for mode in KeyspaceDescription.Mode.allCases {
            #expect(KeyspaceDescription.Mode(mode.description) == mode)
        }
        #expect(
            KeyspaceDescription.Mode.allCases.map(\.description) == [
                "lww", "siblings", "counter", "set", "map", "lww-set", "grow-counter",
            ]
        )
    }
}
