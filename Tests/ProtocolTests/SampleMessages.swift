import ByteCoding
import Causality
import ClientProtocol
import ClusterPrimitives
import Partitioning
import PeerProtocol
import Replication

/// One or more messages of each kind, with every optional part there and absent.
enum SampleMessages {
    /// A body and the kind it belongs to, by the name in the scenario file.
    static func all() throws -> [String: [UInt8]] {
        var samples = clientRequests
        samples.merge(clientResponses) { $1 }
        samples.merge(peerData) { $1 }
        samples.merge(peerControl) { $1 }
        let topology = try topology().encode()
        samples["client topology"] = topology
        samples["peer topology"] = topology
        return samples
    }

    static func written(_ body: (inout ByteWriter) -> Void) -> [UInt8] {
        var writer = ByteWriter()
        body(&writer)
        return writer.bytes
    }

    static func topology() throws -> Topology {
        let member = FoundingMember(
            name: "n1",
            datacenter: "dc1",
            rack: "r1",
            peer: Endpoint(host: "127.0.0.1", port: 7400),
            client: Endpoint(host: "::1", port: 7500)
        )
        return try Topology.founding(cluster: "golden", members: [member], tokensPerMember: 2)
            .creating(
                KeyspaceDefinition(
                    name: "users",
                    replication: [.init(datacenter: "dc1", replicas: 1)],
                    compression: .zlib(level: 6)
                )
            )
    }

    private static let version = Version(
        timestamp: HybridTimestamp(
            wall: WallClockTime(milliseconds: 1_795_341_731_120),
            counter: 3
        ),
        node: NodeID(2),
        lane: 1
    )
    private static let expiry = WallClockTime(milliseconds: 1_795_341_791_120)
    private static let trace = [
        TraceEvent(microseconds: 12, node: NodeID(1), event: "plan", detail: "QUORUM: 2 of 3"),
        TraceEvent(microseconds: 4_000_000_000, node: NodeID(2), event: "é", detail: ""),
    ]

    private static func write(_ value: [UInt8]) -> [UInt8] {
        written {
            WriteRequest.encode(
                keyspace: KeyspaceNumber(7),
                level: .eachQuorum,
                conflict: .fail,
                timeout: 2000,
                lifetime: 60_000,
                timestamp: 1_795_341_731_120,
                key: Array("alice".utf8),
                context: [1, 2, 3],
                value: value,
                into: &$0
            )
        }
    }

    private static func update(_ change: UpdateRequest.Change) -> [UInt8] {
        written {
            UpdateRequest.encode(
                keyspace: KeyspaceNumber(7),
                level: .quorum,
                timeout: 2000,
                key: Array("alice".utf8),
                context: [1, 2],
                change: change,
                into: &$0
            )
        }
    }

    private static func scan(after: [UInt8]?) -> [UInt8] {
        written(
            ScanRequest(
                keyspace: KeyspaceNumber(7),
                level: .one,
                contents: .keysOnly,
                timeout: 500,
                maximumEntries: 100,
                maximumSize: 65_536,
                start: ScanCursor(token: 0x0102_0304_0506_0708, after: after),
                prefix: Array("a".utf8)
            ).encode
        )
    }

    private static let clientRequests: [String: [UInt8]] = [
        "client hello": written(ClientHello(cluster: "prod", software: "starling 0.1.0").encode),
        "client get": written {
            GetRequest.encode(
                keyspace: KeyspaceNumber(7),
                level: .localQuorum,
                scope: .ownCopy,
                kind: .set,
                timeout: 2000,
                key: Array("alice".utf8),
                into: &$0
            )
        },
        "client put": write(Array("wonder".utf8)),
        "client delete": write([]),
        "client scan": scan(after: Array("al".utf8)),
        "client scan, from a token": scan(after: nil),
        "client update": update(.increment(-3, id: [7])),
        "client update, an addition": update(.add([[1], [2]])),
        "client update, a removal": update(.remove([[1]])),
        "client update, a register": update(.change(field: [97], .write([1, 2]))),
        "client update, a field's increment": update(.change(field: [97], .increment(4))),
        "client update, a field's addition": update(.change(field: [97], .add([[1]]))),
        "client update, a field's removal": update(.change(field: [97], .remove([[1]]))),
        "client update, a field's stamped addition": update(
            .change(field: [97], .stampAdded([[1]]))
        ),
        "client update, a field's stamped removal": update(
            .change(field: [97], .stampRemoved([[1]]))
        ),
        "client update, a field": update(.removeField(MapFieldName([97], .counter))),
        "client createKeyspace": written(
            CreateKeyspaceRequest(
                name: "users",
                mode: 1,
                lifetime: 86_400_000,
                readConsistency: .count(2),
                writeConsistency: .all,
                compression: 6,
                replication: [
                    .init(datacenter: "dc1", replicas: 3), .init(datacenter: "dc2", replicas: 2),
                ]
            ).encode
        ),
        "client dropKeyspace": written(DropKeyspaceRequest(name: "users").encode),
        "client fault": written(FaultRequest(blockedPeers: ["n2", "n3"]).encode),
        "client upkeep": written(UpkeepRequest(kind: .scrub, keyspace: "users").encode),
        "client upkeep, of all": written(UpkeepRequest(kind: .flush, keyspace: nil).encode),
    ]

    private static let scrubbed: StoreUpkeepReport = {
        var report = StoreUpkeepReport()
        report.tablesBefore = 4
        report.tablesAfter = 3
        report.bytesBefore = 40_000
        report.bytesAfter = 30_000
        report.bytesWritten = 9000
        report.bytesRead = 40_000
        report.tombstonesPurged = 7
        report.omitted = 1
        report.damage = [
            .init(
                file: "a.sst",
                offset: 4096,
                expected: 1,
                found: 2,
                part: "block",
                tokens: -5...9
            ),
            .init(file: "b.sst", offset: 0, expected: 3, found: 4, part: "footer", tokens: nil),
        ]
        report.salvagedTables = [12]
        report.quarantinedFiles = ["a.sst.damaged"]
        report.lost = [
            .init(tokens: -5...9, newest: WallClockTime(milliseconds: 1_795_341_731_120))
        ]
        report.skippedTables = [13, 14]
        return report
    }()

    private static let clientResponses: [String: [UInt8]] = [
        "client upkeepReport": written(
            UpkeepResponse(results: [
                .init(keyspace: "users", outcome: .done(scrubbed)),
                .init(keyspace: "logs", outcome: .failed(.corrupt, message: "a.sst is damaged")),
            ]).encode
        ),
        "client helloReply": written(
            ClientHelloReply(cluster: "prod", node: "n1", id: NodeID(1), datacenter: "dc1").encode
        ),
        "client value": written(
            ValueResponse(
                contents: .values([
                    VersionedValue(version: version, expiry: expiry, bytes: [1, 2]),
                    VersionedValue(version: .zero, expiry: nil, bytes: []),
                ]),
                context: [9, 8],
                level: .two,
                coordinator: NodeID(3),
                required: 2,
                responded: 3,
                repaired: 1,
                trace: trace
            ).encode
        ),
        "client written": written(
            WrittenResponse(
                version: version,
                winner: .zero,
                context: [9],
                level: nil,
                coordinator: NodeID(3),
                acknowledged: 2,
                required: 2,
                shadowed: .restamped,
                siblings: 3,
                sum: -2,
                trace: trace
            ).encode
        ),
        "client value, a counter": contents(.counter(-7)),
        "client value, a set": contents(.set([[1], [], [2, 3]])),
        "client value, a map": contents(
            .map([
                MapEntry(name: [97], contents: .register([1])),
                MapEntry(name: [97], contents: .counter(-1)),
                MapEntry(name: [97], contents: .set([[5]])),
                MapEntry(name: [98], contents: .lastWriterSet([])),
            ])
        ),
        "client page": page(next: ScanCursor(token: 5, after: [1])),
        "client page, the last": page(next: nil),
        "client statusReport": written(
            StatusResponse(nodes: [
                StatusResponse.Node(
                    id: NodeID(2),
                    state: .suspect,
                    phi: 0.29,
                    silence: 1234,
                    load: 1 << 40,
                    uptime: 99,
                    version: "0.1.0",
                    incarnation: "3-00ff",
                    epoch: 4,
                    clockDeviation: -3_600_000,
                    isDataKnown: false
                )
            ]).encode
        ),
        "client failure": written(
            FailureResponse(
                code: .timeout,
                written: .unknown,
                level: .quorum,
                required: 2,
                alive: 1,
                acknowledged: 1,
                message: "n2 did not answer",
                advice: "Try again.",
                values: [VersionedValue(version: version, expiry: expiry, bytes: [1, 2])],
                context: [4],
                trace: trace
            ).encode
        ),
    ]

    private static func contents(_ contents: KeyContents) -> [UInt8] {
        written(
            ValueResponse(
                contents: contents,
                context: [],
                level: nil,
                coordinator: NodeID(1),
                required: 1,
                responded: 1,
                repaired: 0
            ).encode
        )
    }

    private static func page(next: ScanCursor?) -> [UInt8] {
        written(
            PageResponse(
                entries: [
                    ScanEntry(
                        key: [107],
                        contents: .values([
                            VersionedValue(version: version, expiry: nil, bytes: [118])
                        ])
                    )
                ],
                next: next,
                repaired: 2
            ).encode
        )
    }

    private static func hello(_ peerClass: PeerClass) -> [UInt8] {
        written(
            PeerHello(
                clusterIdentifier: [UInt8](repeating: 1, count: 16),
                foundingDigest: [UInt8](repeating: 2, count: 32),
                node: NodeID(1),
                name: "n1",
                incarnation: Incarnation(start: 5, actor: ActorID(high: 3, low: 4)),
                known: peerClass == .urgent
                    ? Incarnation(start: 6, actor: ActorID(high: 7, low: 8)) : nil,
                peerClass: peerClass,
                lane: 1,
                epoch: 9
            ).encode
        )
    }

    private static func peerScan(after: [UInt8]?) -> [UInt8] {
        written(
            PeerScan(
                keyspace: KeyspaceNumber(7),
                scan: ReplicaScan(
                    fromToken: 1,
                    after: after,
                    throughToken: .max,
                    maximumEntries: 10,
                    maximumSize: 1000,
                    prefix: [97]
                )
            ).encode
        )
    }

    private static let peerData: [String: [UInt8]] = {
        let held: [UInt8] = Array("alice".utf8) + record
        var relays = PeerWrite.NodeList()
        relays.append(NodeID(4))
        relays.append(NodeID(5))
        return [
            "peer hello": hello(.request),
            "peer helloReply": hello(.urgent),
            "peer write": written {
                PeerWrite.encode(
                    keyspace: KeyspaceNumber(7),
                    purpose: .foreground,
                    origin: NodeID(1),
                    relays: relays,
                    key: held.span.bytes.extracting(0..<5),
                    record: held.span.bytes.extracting(5..<held.count),
                    into: &$0
                )
            },
            "peer writeReply": written(
                PeerWriteReply(status: .shadowed, version: version, shadow: version).encode
            ),
            "peer read": written {
                PeerRead.encode(
                    keyspace: KeyspaceNumber(7),
                    contents: .digest,
                    key: ByteRange(offset: 0, count: 5),
                    of: held.span.bytes,
                    into: &$0
                )
            },
            "peer readReply": written {
                PeerReadReply.encode(
                    status: .found,
                    contents: .record,
                    digest: 0x1122_3344_5566_7788,
                    version: version,
                    record: record,
                    into: &$0
                )
            },
            "peer forward": written {
                PeerForward.encode(
                    kind: ClientKind.get.rawValue,
                    flags: 1,
                    remaining: 1900,
                    body: ByteRange(offset: 0, count: 5),
                    of: held.span.bytes,
                    into: &$0
                )
            },
            "peer scan": peerScan(after: [97, 98]),
            "peer scan, from a token": peerScan(after: nil),
            "peer scanReply": written(
                ReplicaPage(
                    status: .found,
                    records: [ScannedRecord(token: 2, key: [97], record: record)],
                    isComplete: false,
                    coveredToken: 2,
                    coveredKey: [97]
                ).encode
            ),
        ]
    }()

    /// A stored record with an expiry and the value `v`.
    static let record = written {
        $0.recordHeader(version: version, isTombstone: false, expiry: expiry)
        $0.raw([118])
    }

    private static let peerControl: [String: [UInt8]] = {
        let low = Ballot(counter: 4, node: NodeID(1))
        let high = Ballot(counter: 5, node: NodeID(2))
        let accepted = AcceptedValue(ballot: low, value: [1, 2, 3])
        return [
            "peer heartbeat": written(Heartbeat(sequence: 3, sent: 1_000_000).encode),
            "peer heartbeatReply": written(
                HeartbeatReply(
                    sequence: 3,
                    sent: 1_000_000,
                    wall: expiry,
                    load: 4096,
                    uptime: 60,
                    isDataKnown: false,
                    softwareVersion: "0.1.0"
                ).encode
            ),
            "peer prepare": written { $0.ballot(high) },
            "peer promise": written { $0.promise(.promised(ballot: high, accepted: accepted)) },
            "peer promise, empty": written { $0.promise(.promised(ballot: high, accepted: nil)) },
            "peer promise, refused": written { $0.promise(.refused(ballot: low, highest: high)) },
            "peer accept": written { $0.accept(ballot: high, value: [1, 2, 3]) },
            "peer accepted": written { $0.accepted(.accepted(ballot: high)) },
            "peer accepted, refused": written {
                $0.accepted(.refused(ballot: low, highest: high))
            },
        ]
    }()
}
