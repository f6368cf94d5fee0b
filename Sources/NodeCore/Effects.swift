package import ByteCoding
package import ClusterPrimitives
package import Replication

/// An inbound connection of one lane, by the number its world gave it.
///
/// A number is given again only after the lane was told that the connection is gone.
package struct ConnectionID: Hashable, Sendable {
    /// The number; small, because it indexes the lane's output buffers.
    package let rawValue: UInt32

    /// The connection with this number.
    package init(_ rawValue: UInt32) {
        self.rawValue = rawValue
    }
}

/// Frames to be written, one buffer a destination.
///
/// The buffers keep their capacity from turn to turn.
package struct OutputBuffers: ~Copyable {
    private var buffers: [ByteWriter] = []
    /// Destinations with something to write, in the order they were first written to.
    package private(set) var pending: [Int] = []

    /// No buffers.
    package init() {}

    /// Appends to the buffer of a destination; `body` may leave it as it was.
    package mutating func write<R>(to destination: Int, _ body: (inout ByteWriter) -> R) -> R {
        while buffers.count <= destination { buffers.append(ByteWriter()) }
        let wasEmpty = buffers[destination].count == 0
        let result = body(&buffers[destination])
        if wasEmpty, buffers[destination].count > 0 { pending.append(destination) }
        return result
    }

    /// Hands each buffer with something in it to `send`, and empties it.
    package mutating func drain(_ send: (Int, [UInt8]) -> Void) {
        for destination in pending {
            send(destination, buffers[destination].bytes)
            empty(destination)
        }
        pending.removeAll(keepingCapacity: true)
    }

    /// Drops what is to be written to a destination.
    package mutating func discard(_ destination: Int) {
        guard destination < buffers.count else { return }
        empty(destination)
        pending.removeAll { $0 == destination }
    }

    /// Empties a buffer; one that grew for a large answer gives its memory back.
    private mutating func empty(_ destination: Int) {
        let isLarge = buffers[destination].bytes.capacity > 64 * 1024
        buffers[destination].bytes.removeAll(keepingCapacity: !isLarge)
    }

    /// Bytes to be written.
    package var count: Int { pending.reduce(0) { $0 + buffers[$1].count } }

    /// Whether there is nothing to write.
    package var isEmpty: Bool { pending.isEmpty }
}

/// What the steps of one turn of a lane ask of the world.
///
/// The queues are unordered among themselves: order that matters goes by event.
package struct Effects: ~Copyable {
    /// By node number: frames for this lane's request link to the node.
    ///
    /// The world drops them where the link is down.
    package var links = OutputBuffers()
    /// By connection number: frames for inbound connections.
    package var connections = OutputBuffers()
    /// Jobs for the store; their ranges lie in `payload`.
    package var jobs: [StorageJob] = []
    /// Bytes of the jobs.
    package var payload = ByteWriter()
    /// Requests that the control plane answers.
    package var controlRequests: [ControlRequest] = []
    /// What an operator or a test may want to know.
    package var notices: [NodeNotice] = []

    /// Nothing asked.
    package init() {}
}

/// What a lane passes on to the control plane.
package enum ControlRequest: Sendable {
    /// A client's request, to be answered in a frame on the lane's connection.
    case client(ClientControlRequest, lane: UInt8, ConnectionID, correlation: UInt64)
    /// A frame from this node carried an epoch above the lane's view.
    case newerEpoch(UInt64, from: NodeID)
}

/// The client requests that the control plane answers.
package enum ClientControlRequest: Sendable {
    /// Send the topology.
    case describe
    /// Send what this node knows of the members.
    case status
    /// Create a keyspace; the body of a `createKeyspace` frame.
    case createKeyspace([UInt8])
    /// Drop a keyspace; the body of a `dropKeyspace` frame.
    case dropKeyspace([UInt8])
    /// Cut peers off; the body of a `fault` frame.
    case fault([UInt8])
    /// Flush, compact, verify or scrub this node's store; the body of an `upkeep` frame.
    case upkeep([UInt8])
}
