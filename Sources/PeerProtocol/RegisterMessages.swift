package import ByteCoding
import ClusterPrimitives
package import Replication

/// The messages of the topology's consensus register.
///
///     ballot := counter: uint64, node: uint16
///     prepare := ballot
///     promise := isPromised: uint8, ballot, (hasAccepted: uint8, [ballot, value: bytes])
///                                          or, where refused, the highest ballot
///     accept := ballot, value: bytes
///     accepted := isAccepted: uint8, ballot, highest: ballot (equal to ballot where accepted)
///
/// The frame's correlation names the attempt.
package enum RegisterMessage {
    /// Reads the body of `prepare`.
    package static func prepare(
        _ body: ByteRange,
        of bytes: RawSpan
    ) throws(CodingError) -> Ballot {
        var reader = ByteReader(body)
        let ballot = try reader.ballot(in: bytes)
        try reader.finish()
        return ballot
    }

    /// Reads the body of `promise`.
    package static func promise(
        _ body: ByteRange,
        of bytes: RawSpan
    ) throws(CodingError) -> PrepareReply {
        var reader = ByteReader(body)
        let flag = try reader.flag(in: bytes)
        let ballot = try reader.ballot(in: bytes)
        let reply: PrepareReply
        if flag {
            var accepted: AcceptedValue?
            if try reader.flag(in: bytes) {
                let at = try reader.ballot(in: bytes)
                accepted = AcceptedValue(ballot: at, value: try reader.value(in: bytes))
            }
            reply = .promised(ballot: ballot, accepted: accepted)
        } else {
            reply = .refused(ballot: ballot, highest: try reader.ballot(in: bytes))
        }
        try reader.finish()
        return reply
    }

    /// Reads the body of `accept`.
    package static func accept(
        _ body: ByteRange,
        of bytes: RawSpan
    ) throws(CodingError) -> AcceptedValue {
        var reader = ByteReader(body)
        let ballot = try reader.ballot(in: bytes)
        let value = try reader.value(in: bytes)
        try reader.finish()
        return AcceptedValue(ballot: ballot, value: value)
    }

    /// Reads the body of `accepted`.
    package static func accepted(
        _ body: ByteRange,
        of bytes: RawSpan
    ) throws(CodingError) -> AcceptReply {
        var reader = ByteReader(body)
        let flag = try reader.flag(in: bytes)
        let ballot = try reader.ballot(in: bytes)
        let highest = try reader.ballot(in: bytes)
        try reader.finish()
        guard !flag || highest == ballot else {
            throw .invalid(field: "highest ballot", value: highest.counter)
        }
        return flag ? .accepted(ballot: ballot) : .refused(ballot: ballot, highest: highest)
    }
}

extension ByteReader {
    fileprivate mutating func ballot(in bytes: RawSpan) throws(CodingError) -> Ballot {
        let counter = try uint64(in: bytes, "ballot")
        return Ballot(counter: counter, node: NodeID(try uint16(in: bytes, "ballot")))
    }

    fileprivate mutating func flag(in bytes: RawSpan) throws(CodingError) -> Bool {
        let raw = try uint8(in: bytes, "flag")
        guard raw <= 1 else { throw .invalid(field: "flag", value: UInt64(raw)) }
        return raw == 1
    }

    fileprivate mutating func value(in bytes: RawSpan) throws(CodingError) -> [UInt8] {
        bytes.array(
            try prefixed(in: bytes, limit: RegisterAcceptor.maximumValueSize, "register value")
        )
    }
}

extension ByteWriter {
    /// Appends a ballot, the body of `prepare`.
    package mutating func ballot(_ ballot: Ballot) {
        uint64(ballot.counter)
        uint16(ballot.node.rawValue)
    }

    /// Appends the body of `promise`.
    package mutating func promise(_ reply: PrepareReply) {
        switch reply {
        case .promised(let ballot, let accepted):
            uint8(1)
            self.ballot(ballot)
            uint8(accepted == nil ? 0 : 1)
            if let accepted {
                self.ballot(accepted.ballot)
                prefixed(accepted.value)
            }
        case .refused(let ballot, let highest):
            uint8(0)
            self.ballot(ballot)
            self.ballot(highest)
        }
    }

    /// Appends the body of `accept`.
    package mutating func accept(ballot: Ballot, value: [UInt8]) {
        self.ballot(ballot)
        prefixed(value)
    }

    /// Appends the body of `accepted`.
    package mutating func accepted(_ reply: AcceptReply) {
        switch reply {
        case .accepted(let ballot):
            uint8(1)
            self.ballot(ballot)
            self.ballot(ballot)
        case .refused(let ballot, let highest):
            uint8(0)
            self.ballot(ballot)
            self.ballot(highest)
        }
    }
}
