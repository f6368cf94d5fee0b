import ByteCoding
import ClientProtocol
import ClusterPrimitives
import MutualTLS
import NIOCore
import NodeCore
import Partitioning
import PeerProtocol
import Replication

/// What follows a hello.
enum HelloAnswer {
    /// Nothing: it is not whole yet.
    case wait
    /// A line in the log, a last frame, the end.
    case refuse(String, ByteBuffer)
    /// The end, without a word.
    case drop
    /// A frame, and then the frames of an accepted connection.
    case accept((InboundConnection) -> InboundConnection.Stage, ByteBuffer)
}

extension InboundConnection {
    /// Judges the first frame on the client port.
    func clientHello(
        _ header: Frame.Header,
        _ body: ByteRange,
        _ bytes: RawSpan,
        _ identity: PeerIdentity
    ) -> HelloAnswer {
        guard header.kind == ClientKind.hello.rawValue else {
            return refuseClient(header, "its first frame is of kind \(header.kind), not a hello")
        }
        let hello: ClientHello
        do {
            hello = try ClientHello(decoding: body, of: bytes)
        } catch {
            return refuseClient(header, "its hello is malformed: \(error)")
        }
        guard hello.version == ClientProtocolVersion.current else {
            return refuseClient(
                header,
                "it speaks protocol version \(hello.version), this node "
                    + "\(ClientProtocolVersion.current)"
            )
        }
        let view = driver.view
        guard hello.cluster == view.topology.clusterName else {
            return refuseClient(
                header,
                "it means cluster \(hello.cluster), this is \(view.topology.clusterName)"
            )
        }
        guard !driver.isDraining else { return .drop }
        let reply = ClientHelloReply(
            cluster: view.topology.clusterName,
            node: driver.identity.name,
            id: driver.identity.id,
            datacenter: view.name(of: view.localDatacenter)
        )
        let frame = FrameBytes.frame(
            Frame.Header(
                kind: ClientKind.helloReply.rawValue,
                correlation: header.correlation,
                epoch: view.topology.epoch
            )
        ) { reply.encode(into: &$0) }
        let isAdmin = identity.kind == .admin
        return .accept({ .client($0.driver.attach($0), isAdmin: isAdmin) }, frame)
    }

    private func refuseClient(_ header: Frame.Header, _ reason: String) -> HelloAnswer {
        let failure = FailureResponse(code: .invalid, message: "connection refused: \(reason)")
        let frame = FrameBytes.frame(
            Frame.Header(kind: ClientKind.failure.rawValue, correlation: header.correlation)
        ) { failure.encode(into: &$0) }
        return .refuse(reason, frame)
    }

    /// Judges the first frame on the peer port.
    func peerHello(
        _ header: Frame.Header,
        _ body: ByteRange,
        _ bytes: RawSpan,
        _ identity: PeerIdentity
    ) -> HelloAnswer {
        guard header.kind == PeerKind.hello.rawValue else {
            return refusePeer(header, "its first frame is of kind \(header.kind), not a hello")
        }
        let hello: PeerHello
        do {
            hello = try PeerHello(decoding: body, of: bytes)
        } catch {
            return refusePeer(header, "its hello is malformed: \(error)")
        }
        let topology = driver.view.topology
        if let reason = hello.refusal(expecting: topology, certificateName: identity.name) {
            return refusePeer(header, reason)
        }
        guard hello.node != driver.identity.id else {
            return refusePeer(header, "it presents this node's own identity")
        }
        guard !driver.isBlocked(hello.node) else { return .drop }
        guard hello.peerClass != .bulk else {
            return refusePeer(header, "this node takes no bulk connections")
        }
        driver.wasSeen(as: hello.known, by: hello.node)
        guard driver.mayAnswer(hello) else { return .drop }
        let frame = FrameBytes.frame(
            Frame.Header(
                kind: PeerKind.helloReply.rawValue,
                correlation: header.correlation,
                epoch: topology.epoch
            )
        ) { driver.hello(of: hello.peerClass, to: hello.node).encode(into: &$0) }
        let node = hello.node
        if hello.peerClass == .urgent {
            return .accept({ _ in .urgentPeer(node) }, frame)
        }
        return .accept({ .peer($0.driver.attach($0), node) }, frame)
    }

    private func refusePeer(_ header: Frame.Header, _ reason: String) -> HelloAnswer {
        .refuse(reason, PeerRefusal.frame(reason, correlation: header.correlation))
    }
}
