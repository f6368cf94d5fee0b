package import ByteCoding
import Causality
import ClientProtocol
package import ClusterPrimitives
import Partitioning
import PeerProtocol
import Replication

extension Lane {
    /// A whole frame from a peer, behind its hello.
    ///
    /// `connection` is the inbound connection it came on; nil when it came back on this
    ///   lane's own link to the node.
    package mutating func receivePeer(
        _ header: Frame.Header,
        body: ByteRange,
        of bytes: RawSpan,
        from node: NodeID,
        connection: ConnectionID?,
        at now: Instant,
        into effects: inout Effects
    ) {
        mergeClock(header, from: node, at: now, into: &effects)
        guard let kind = PeerKind(rawValue: header.kind) else {
            effects.notices.append(
                .malformedFrame(from: node, reason: "kind \(header.kind) is not known")
            )
            return
        }
        let id = RequestID(rawValue: header.correlation)
        do {
            switch kind {
            case .writeReply:
                let reply = try PeerWriteReply(decoding: body, of: bytes)
                acknowledged(id, by: node, reply, at: now, into: &effects)
                return
            case .readReply:
                let reply = try PeerReadReply(decoding: body, of: bytes)
                answered(
                    read: id,
                    by: node,
                    reply.status,
                    reply.contents,
                    digest: reply.digest,
                    record: bytes.array(reply.record),
                    at: now,
                    into: &effects
                )
                return
            case .scanReply:
                let page = try ReplicaPage(decoding: body, of: bytes)
                answered(scan: id, by: node, page, at: now, into: &effects)
                return
            case .forwardReply:
                forwardReply(id, body, of: bytes, from: node, into: &effects)
                return
            default:
                break
            }
            guard let connection else {
                effects.notices.append(
                    .malformedFrame(from: node, reason: "a \(kind) came back on a link")
                )
                return
            }
            if header.epoch > view.topology.epoch,
                park(.peer(node, connection), header, body, bytes, now, &effects)
            {
                return
            }
            let origin = origin(on: connection, header.correlation)
            switch kind {
            case .write:
                let write = try PeerWrite(decoding: body, of: bytes)
                take(write, bytes, from: node, origin, at: now, into: &effects)
            case .read:
                let read = try PeerRead(decoding: body, of: bytes)
                take(read, bytes, origin, into: &effects)
            case .scan:
                let scan = try PeerScan(decoding: body, of: bytes)
                take(scan, origin, into: &effects)
            case .forward:
                let forward = try PeerForward(decoding: body, of: bytes)
                take(forward, bytes, connection, header.correlation, at: now, into: &effects)
            default:
                effects.notices.append(
                    .malformedFrame(from: node, reason: "a \(kind) is not a lane's")
                )
            }
        } catch {
            effects.notices.append(.malformedFrame(from: node, reason: "\(kind): \(error)"))
        }
    }

    /// Stores a write that another node coordinates, and passes it on where this node is the
    /// relay of its datacenter.
    private mutating func take(
        _ write: PeerWrite,
        _ bytes: RawSpan,
        from node: NodeID,
        _ inbound: JobOrigin,
        at now: Instant,
        into effects: inout Effects
    ) {
        guard view.topology.member(write.origin) != nil else {
            effects.notices.append(
                .malformedFrame(from: node, reason: "write of \(write.origin), no member")
            )
            return
        }
        let origin =
            write.origin == node
            ? inbound
            : JobOrigin(
                route: .link,
                target: UInt32(write.origin.rawValue),
                correlation: inbound.correlation
            )
        let placement = view.placement(of: write.keyspace)
        // Of a keyspace that is not known here the record cannot be read, only passed on.
        let summary = try? placement?.keyspace.mode.records.summary(write.record, of: bytes)
        guard placement == nil || summary != nil else {
            effects.notices.append(.malformedFrame(from: node, reason: "write without a record"))
            return
        }
        for index in 0..<write.relays.count
        where write.relays[index] != identity.id
            && view.topology.member(write.relays[index]) != nil
        {
            send(.write, to: write.relays[index], inbound.correlation, into: &effects) {
                PeerWrite.encode(
                    keyspace: write.keyspace,
                    purpose: write.purpose,
                    origin: write.origin,
                    relays: PeerWrite.NodeList(),
                    key: bytes.extracting(write.key.offset..<write.key.end),
                    record: bytes.extracting(write.record.offset..<write.record.end),
                    into: &$0
                )
            }
        }
        func refuse(_ status: WriteStatus, _ version: Version) {
            send(to: origin, .writeReply, into: &effects) {
                PeerWriteReply(status: status, version: version, shadow: .zero).encode(into: &$0)
            }
        }
        guard let version = summary?.newestVersion else {
            refuse(.unknownKeyspace, .zero)
            return
        }
        if write.purpose == .foreground, !clock.believes(version.timestamp, at: now.wall) {
            refuse(.refusedClock, version)
            return
        }
        appendWrite(
            origin,
            write.keyspace,
            key: bytes.extracting(write.key.offset..<write.key.end),
            record: bytes.extracting(write.record.offset..<write.record.end),
            version: version,
            write.purpose,
            into: &effects
        )
    }

    /// Asks the store to merge a record.
    func appendWrite(
        _ origin: JobOrigin,
        _ keyspace: KeyspaceNumber,
        key: RawSpan,
        record: RawSpan,
        version: Version,
        _ purpose: WritePurpose,
        into effects: inout Effects
    ) {
        let keyAt = effects.payload.count
        effects.payload.raw(key)
        let recordAt = effects.payload.count
        effects.payload.raw(record)
        effects.jobs.append(
            StorageJob(
                origin: origin,
                keyspace: keyspace,
                token: Token(ofKey: key, ByteRange(offset: 0, count: key.byteCount)).ordered,
                work: .write(
                    key: ByteRange(offset: keyAt, count: key.byteCount),
                    record: ByteRange(offset: recordAt, count: record.byteCount),
                    version: version,
                    purpose: purpose
                )
            )
        )
    }

    /// Asks the store for a record or its digest.
    func appendRead(
        _ origin: JobOrigin,
        _ keyspace: KeyspaceNumber,
        key: ByteRange,
        _ contents: ReadContents,
        of bytes: RawSpan,
        into effects: inout Effects
    ) {
        let keyAt = effects.payload.count
        effects.payload.raw(key, of: bytes)
        effects.jobs.append(
            StorageJob(
                origin: origin,
                keyspace: keyspace,
                token: Token(ofKey: bytes, key).ordered,
                work: .read(
                    key: ByteRange(offset: keyAt, count: key.count),
                    contents: contents
                )
            )
        )
    }

    private func take(
        _ read: PeerRead,
        _ bytes: RawSpan,
        _ origin: JobOrigin,
        into effects: inout Effects
    ) {
        guard view.placement(of: read.keyspace) != nil else {
            send(to: origin, .readReply, into: &effects) {
                PeerReadReply.encode(
                    status: .unknown,
                    contents: read.contents,
                    digest: 0,
                    version: .zero,
                    record: [],
                    into: &$0
                )
            }
            return
        }
        appendRead(
            origin,
            read.keyspace,
            key: read.key,
            read.contents,
            of: bytes,
            into: &effects
        )
    }

    private func take(_ scan: PeerScan, _ origin: JobOrigin, into effects: inout Effects) {
        guard view.placement(of: scan.keyspace) != nil else {
            send(to: origin, .scanReply, into: &effects) {
                ReplicaPage(status: .unknown, records: [], isComplete: false).encode(into: &$0)
            }
            return
        }
        var bounded = scan.scan
        bounded.maximumEntries = min(
            bounded.maximumEntries,
            UInt32(ScanRequest.maximumPageEntries)
        )
        bounded.maximumSize = min(bounded.maximumSize, Self.maximumReplicaPageSize)
        effects.jobs.append(
            StorageJob(
                origin: origin,
                keyspace: scan.keyspace,
                token: bounded.fromToken,
                work: .scan(bounded)
            )
        )
    }

    private mutating func take(
        _ forward: PeerForward,
        _ bytes: RawSpan,
        _ connection: ConnectionID,
        _ correlation: UInt64,
        at now: Instant,
        into effects: inout Effects
    ) {
        let sink = ResponseSink(
            asker: .forwardingNode,
            connection: connection,
            correlation: correlation,
            isTraced: forward.flags & 1 != 0
        )
        guard let kind = ClientKind(rawValue: forward.kind),
            kind == .get || kind == .put || kind == .delete || kind == .scan
                || kind == .update
        else {
            fail(
                sink,
                FailureResponse(
                    code: .invalid,
                    message: "a request of kind \(forward.kind) cannot be forwarded"
                ),
                into: &effects
            )
            return
        }
        request(
            kind,
            forward.body,
            of: bytes,
            sink: sink,
            remaining: .milliseconds(Int64(forward.remaining)),
            at: now,
            into: &effects
        )
    }
}
