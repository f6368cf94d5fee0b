package import ByteCoding
import Causality
import ClientProtocol
import ClusterPrimitives
import Partitioning
import PeerProtocol
import Replication

/// One kind of message of either protocol: how its body is read and written again.
package struct MessageCodec: Sendable {
    /// Reads a body and writes what was read.
    package typealias Recode = @Sendable (ByteRange, RawSpan) throws(CodingError) -> [UInt8]

    /// The kind's name, behind `client` or `peer`.
    package let name: String
    /// Whether clients speak it; else peers do.
    package let isClient: Bool
    /// The kind in a frame's header.
    package let kind: UInt8
    /// Reads a body and writes what was read; bytes that are accepted come back as they were.
    package let recode: Recode

    private init(_ kind: ClientKind, _ recode: @escaping Recode) {
        name = "client \(kind)"
        isClient = true
        self.kind = kind.rawValue
        self.recode = recode
    }

    private init(_ kind: PeerKind, _ recode: @escaping Recode) {
        name = "peer \(kind)"
        isClient = false
        self.kind = kind.rawValue
        self.recode = recode
    }

    /// Reads and rewrites a body that fills an array.
    package func recode(_ body: [UInt8]) throws(CodingError) -> [UInt8] {
        try recode(ByteRange(offset: 0, count: body.count), body.span.bytes)
    }

    /// Every kind whose body has a grammar.
    package static let all = clientRequests + clientResponses + peerData + peerControl

    private static func written(_ body: (inout ByteWriter) -> Void) -> [UInt8] {
        var writer = ByteWriter()
        body(&writer)
        return writer.bytes
    }

    private static let clientRequests = [
        MessageCodec(ClientKind.hello) { body, bytes throws(CodingError) in
            let message = try ClientHello(decoding: body, of: bytes)
            return written(message.encode)
        },
        MessageCodec(ClientKind.get) { body, bytes throws(CodingError) in
            let get = try GetRequest(decoding: body, of: bytes)
            return written {
                GetRequest.encode(
                    keyspace: get.keyspace,
                    level: get.level,
                    scope: get.scope,
                    kind: get.kind,
                    timeout: get.timeout,
                    key: bytes.array(get.key),
                    into: &$0
                )
            }
        },
        MessageCodec(ClientKind.put, write),
        MessageCodec(ClientKind.delete, write),
        MessageCodec(ClientKind.scan) { body, bytes throws(CodingError) in
            let message = try ScanRequest(decoding: body, of: bytes)
            return written(message.encode)
        },
        MessageCodec(ClientKind.update) { body, bytes throws(CodingError) in
            let update = try UpdateRequest(decoding: body, of: bytes)
            return written {
                UpdateRequest.encode(
                    keyspace: update.keyspace,
                    level: update.level,
                    timeout: update.timeout,
                    key: bytes.array(update.key),
                    context: bytes.array(update.context),
                    change: update.change,
                    into: &$0
                )
            }
        },
        MessageCodec(ClientKind.createKeyspace) { body, bytes throws(CodingError) in
            let message = try CreateKeyspaceRequest(decoding: body, of: bytes)
            return written(message.encode)
        },
        MessageCodec(ClientKind.dropKeyspace) { body, bytes throws(CodingError) in
            let message = try DropKeyspaceRequest(decoding: body, of: bytes)
            return written(message.encode)
        },
        MessageCodec(ClientKind.fault) { body, bytes throws(CodingError) in
            let message = try FaultRequest(decoding: body, of: bytes)
            return written(message.encode)
        },
        MessageCodec(ClientKind.upkeep) { body, bytes throws(CodingError) in
            let message = try UpkeepRequest(decoding: body, of: bytes)
            return written(message.encode)
        },
    ]

    private static let clientResponses = [
        MessageCodec(ClientKind.helloReply) { body, bytes throws(CodingError) in
            let message = try ClientHelloReply(decoding: body, of: bytes)
            return written(message.encode)
        },
        MessageCodec(ClientKind.value) { body, bytes throws(CodingError) in
            let message = try ValueResponse(decoding: body, of: bytes)
            return written(message.encode)
        },
        MessageCodec(ClientKind.written) { body, bytes throws(CodingError) in
            let message = try WrittenResponse(decoding: body, of: bytes)
            return written(message.encode)
        },
        MessageCodec(ClientKind.page) { body, bytes throws(CodingError) in
            let message = try PageResponse(decoding: body, of: bytes)
            return written(message.encode)
        },
        MessageCodec(ClientKind.topology, topology),
        MessageCodec(ClientKind.statusReport) { body, bytes throws(CodingError) in
            let message = try StatusResponse(decoding: body, of: bytes)
            return written(message.encode)
        },
        MessageCodec(ClientKind.upkeepReport) { body, bytes throws(CodingError) in
            let message = try UpkeepResponse(decoding: body, of: bytes)
            return written(message.encode)
        },
        MessageCodec(ClientKind.failure) { body, bytes throws(CodingError) in
            let message = try FailureResponse(decoding: body, of: bytes)
            return written(message.encode)
        },
    ]

    private static let peerData = [
        MessageCodec(PeerKind.hello, hello),
        MessageCodec(PeerKind.helloReply, hello),
        MessageCodec(PeerKind.write) { body, bytes throws(CodingError) in
            let write = try PeerWrite(decoding: body, of: bytes)
            return written {
                PeerWrite.encode(
                    keyspace: write.keyspace,
                    purpose: write.purpose,
                    origin: write.origin,
                    relays: write.relays,
                    key: bytes.extracting(write.key.offset..<write.key.end),
                    record: bytes.extracting(write.record.offset..<write.record.end),
                    into: &$0
                )
            }
        },
        MessageCodec(PeerKind.writeReply) { body, bytes throws(CodingError) in
            let message = try PeerWriteReply(decoding: body, of: bytes)
            return written(message.encode)
        },
        MessageCodec(PeerKind.read) { body, bytes throws(CodingError) in
            let read = try PeerRead(decoding: body, of: bytes)
            return written {
                PeerRead.encode(
                    keyspace: read.keyspace,
                    contents: read.contents,
                    key: read.key,
                    of: bytes,
                    into: &$0
                )
            }
        },
        MessageCodec(PeerKind.readReply) { body, bytes throws(CodingError) in
            let reply = try PeerReadReply(decoding: body, of: bytes)
            return written {
                PeerReadReply.encode(
                    status: reply.status,
                    contents: reply.contents,
                    digest: reply.digest,
                    version: reply.version,
                    record: bytes.array(reply.record),
                    into: &$0
                )
            }
        },
        MessageCodec(PeerKind.forward) { body, bytes throws(CodingError) in
            let forward = try PeerForward(decoding: body, of: bytes)
            return written {
                PeerForward.encode(
                    kind: forward.kind,
                    flags: forward.flags,
                    remaining: forward.remaining,
                    body: forward.body,
                    of: bytes,
                    into: &$0
                )
            }
        },
        MessageCodec(PeerKind.scan) { body, bytes throws(CodingError) in
            let message = try PeerScan(decoding: body, of: bytes)
            return written(message.encode)
        },
        MessageCodec(PeerKind.scanReply) { body, bytes throws(CodingError) in
            let message = try ReplicaPage(decoding: body, of: bytes)
            return written(message.encode)
        },
    ]

    private static let peerControl = [
        MessageCodec(PeerKind.heartbeat) { body, bytes throws(CodingError) in
            let message = try Heartbeat(decoding: body, of: bytes)
            return written(message.encode)
        },
        MessageCodec(PeerKind.heartbeatReply) { body, bytes throws(CodingError) in
            let message = try HeartbeatReply(decoding: body, of: bytes)
            return written(message.encode)
        },
        MessageCodec(PeerKind.prepare) { body, bytes throws(CodingError) in
            let ballot = try RegisterMessage.prepare(body, of: bytes)
            return written { $0.ballot(ballot) }
        },
        MessageCodec(PeerKind.promise) { body, bytes throws(CodingError) in
            let reply = try RegisterMessage.promise(body, of: bytes)
            return written { $0.promise(reply) }
        },
        MessageCodec(PeerKind.accept) { body, bytes throws(CodingError) in
            let accept = try RegisterMessage.accept(body, of: bytes)
            return written { $0.accept(ballot: accept.ballot, value: accept.value) }
        },
        MessageCodec(PeerKind.accepted) { body, bytes throws(CodingError) in
            let reply = try RegisterMessage.accepted(body, of: bytes)
            return written { $0.accepted(reply) }
        },
        MessageCodec(PeerKind.topology, topology),
    ]

    private static let write: Recode = { body, bytes throws(CodingError) in
        let write = try WriteRequest(decoding: body, of: bytes)
        return written {
            WriteRequest.encode(
                keyspace: write.keyspace,
                level: write.level,
                conflict: write.conflict,
                timeout: write.timeout,
                lifetime: write.lifetime,
                timestamp: write.timestamp,
                key: bytes.array(write.key),
                context: bytes.array(write.context),
                value: bytes.array(write.value),
                into: &$0
            )
        }
    }

    private static let hello: Recode = { body, bytes throws(CodingError) in
        let message = try PeerHello(decoding: body, of: bytes)
        return written(message.encode)
    }

    private static let topology: Recode = { body, bytes throws(CodingError) in
        try Topology(decoding: bytes.array(body)).encode()
    }
}
